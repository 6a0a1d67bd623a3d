import org.codelibs.opensearch.runner.OpenSearchRunner;

/** An OpenSearch of one node: OpenSearch.java <directory> <port>. It ends when it is killed, and keeps what is in the directory. */
public final class OpenSearch {
    public static void main(String[] args) throws Exception {
        int port = Integer.parseInt(args[1]);
        OpenSearchRunner runner = new OpenSearchRunner();
        runner.setMaxHttpPort(port + 20);
        runner.onBuild((number, settings) -> {
            settings.put("discovery.type", "single-node");
            settings.put("cluster.routing.allocation.disk.threshold_enabled", "false");
        }).build(OpenSearchRunner.newConfigs().clusterName("sluice").numOfNode(1).basePath(args[0]).baseHttpPort(port - 1));
        Thread.currentThread().join();
    }
}
