import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.sourcelab.kafka.connect.apiclient.Configuration;
import org.sourcelab.kafka.connect.apiclient.KafkaConnectClient;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorPlugin;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorPluginConfigDefinition;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorPluginConfigValidationResults;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorStatus;
import org.sourcelab.kafka.connect.apiclient.request.dto.NewConnectorDefinition;
import org.sourcelab.kafka.connect.apiclient.request.post.PostConnectorRestart;
import org.sourcelab.kafka.connect.apiclient.rest.exceptions.InvalidRequestException;

/**
 * Every call of org.sourcelab:kafka-connect-client: Client.java URL FILE. A line is {@code operation<TAB>call<TAB>answer},
 * the answer as the client parsed it. The last line names the calls not made.
 */
class Client {
    static final ObjectMapper JSON = new ObjectMapper().configure(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS, true);
    static final Set<String> CALLED = new TreeSet<>();
    static KafkaConnectClient client;

    /** Calls until the answer is as it should be, and prints it. A real worker refuses calls while it rebalances. */
    static <T> void call(String operation, String name, Supplier<T> f, Predicate<T> until) throws Exception {
        CALLED.add(name);
        for (long end = System.nanoTime() + 60_000_000_000L; ; Thread.sleep(200)) {
            boolean done;
            String text;
            try {
                T answer = f.get();
                done = until == null || until.test(answer);
                text = show(answer);
            } catch (RuntimeException e) {
                text = e.getClass().getSimpleName() + (e instanceof InvalidRequestException ? " " + ((InvalidRequestException) e).getErrorCode() : "") + ": " + e.getMessage();
                done = until == null && !text.contains("rebalance");
            }
            if (done || System.nanoTime() > end) {
                System.out.println(operation + "\t" + name + "\t" + text.replace("\n", "\\n"));
                return;
            }
        }
    }

    static <T> void call(String operation, String name, Supplier<T> f) throws Exception {
        call(operation, name, f, null);
    }

    /** An answer without what is no part of the contract; `order` has another name since Kafka Connect 4.2. */
    static String show(Object answer) throws Exception {
        JsonNode tree = JSON.readTree(JSON.writeValueAsString(answer));
        if (answer instanceof ConnectorPluginConfigValidationResults) {
            tree.findParents("documentation").forEach(d -> ((ObjectNode) d).remove(List.of("documentation", "order")));
        }
        return JSON.writeValueAsString(JSON.treeToValue(tree, Object.class));
    }

    static Map<String, String> config(String name, String file, String... more) {
        Map<String, String> out = new HashMap<>(Map.of("connector.class", "FileStreamSource", "tasks.max", "1", "file", file, "topic", "lines-" + name, "name", name));
        for (int i = 0; i < more.length; i += 2) {
            out.put(more[i], more[i + 1]);
        }
        return out;
    }

    static void status(String name, String... want) throws Exception {
        call("status", "getConnectorStatus", () -> client.getConnectorStatus(name), s -> states(s).equals(List.of(want)));
    }

    static List<String> states(ConnectorStatus s) {
        List<String> out = new ArrayList<>(List.of(s.getConnector().get("state")));
        s.getTasks().forEach(t -> out.add(t.getState()));
        return out;
    }

    public static void main(String[] args) throws Exception {
        client = new KafkaConnectClient(new Configuration(args[0]));
        String a = "java-a", file = args[1];
        NewConnectorDefinition fresh = NewConnectorDefinition.newBuilder().withName(a).withConfig(config(a, file)).build();
        call("info", "getConnectServerVersion", () -> client.getConnectServerVersion());
        call("plugins", "getConnectorPlugins", () -> client.getConnectorPlugins().stream().filter(p -> p.getClassName().startsWith("org.apache.kafka.connect.file.")).toArray(ConnectorPlugin[]::new));
        call("validate", "validateConnectorPluginConfig", () -> client.validateConnectorPluginConfig(new ConnectorPluginConfigDefinition("FileStreamSource", config(a, file))));
        call("validate", "validateConnectorPluginConfig", () -> client.validateConnectorPluginConfig(new ConnectorPluginConfigDefinition("FileStreamSink", Map.of("connector.class", "FileStreamSink", "tasks.max", "x"))));
        call("create", "addConnector", () -> client.addConnector(fresh));
        status(a, "RUNNING", "RUNNING");
        call("create", "addConnector", () -> client.addConnector(fresh));
        call("create", "addConnector", () -> client.addConnector(new NewConnectorDefinition("java-bad", Map.of("connector.class", "FileStreamSource"))));
        call("list", "getConnectors", () -> client.getConnectors());
        call("expand", "getConnectorsWithExpandedStatus", () -> client.getConnectorsWithExpandedStatus().getMappedStatuses());
        call("expand", "getConnectorsWithExpandedInfo", () -> client.getConnectorsWithExpandedInfo().getMappedDefinitions());
        call("expand", "getConnectorsWithAllExpandedMetadata", () -> List.of(client.getConnectorsWithAllExpandedMetadata().getMappedStatuses(), client.getConnectorsWithAllExpandedMetadata().getMappedDefinitions()));
        call("get", "getConnector", () -> client.getConnector(a));
        call("config", "getConnectorConfig", () -> client.getConnectorConfig(a));
        call("update", "updateConnectorConfig", () -> client.updateConnectorConfig(a, config(a, file, "note", "\"1\""))); // it sends what is not ASCII as no UTF-8
        call("tasks", "getConnectorTasks", () -> client.getConnectorTasks(a), all -> all.size() == 1 && all.iterator().next().getConfig().containsKey("note"));
        status(a, "RUNNING", "RUNNING");
        call("update", "updateConnectorConfig", () -> client.updateConnectorConfig(a, config("other", file)));
        call("task-status", "getConnectorTaskStatus", () -> client.getConnectorTaskStatus(a, 0));
        call("task-status", "getConnectorTaskStatus", () -> client.getConnectorTaskStatus(a, 9));
        call("topics", "getConnectorTopics", () -> client.getConnectorTopics(a), t -> !t.getTopics().isEmpty());
        call("reset-topics", "resetConnectorTopics", () -> client.resetConnectorTopics(a));
        call("restart", "restartConnector", () -> client.restartConnector(a));
        status(a, "RUNNING", "RUNNING");
        call("restart", "restartConnector", () -> client.restartConnector(new PostConnectorRestart(a).withIncludeTasks(true).withOnlyFailed(false)));
        status(a, "RUNNING", "RUNNING");
        call("restart", "restartConnector", () -> client.restartConnector(new PostConnectorRestart(a).withIncludeTasks(true).withOnlyFailed(true)));
        call("restart-task", "restartConnectorTask", () -> client.restartConnectorTask(a, 0));
        status(a, "RUNNING", "RUNNING");
        call("pause", "pauseConnector", () -> client.pauseConnector(a));
        status(a, "PAUSED", "PAUSED");
        call("resume", "resumeConnector", () -> client.resumeConnector(a));
        status(a, "RUNNING", "RUNNING");
        call("delete", "deleteConnector", () -> client.deleteConnector(a));
        call("get", "getConnector", () -> client.getConnector(a));
        call("delete", "deleteConnector", () -> client.deleteConnector(a));
        call("list", "getConnectors", () -> client.getConnectors());
        Set<String> missed = new TreeSet<>();
        Arrays.stream(KafkaConnectClient.class.getDeclaredMethods()).filter(m -> Modifier.isPublic(m.getModifiers()) && !CALLED.contains(m.getName())).forEach(m -> missed.add(m.getName()));
        System.out.println("not called\t\t" + missed);
    }
}
