// Every call of the npm package kafka-connect-client: client.js URL FILE.
// A line is `operation<TAB>call<TAB>answer`, the answer as the client gives it. The last line names the calls not made.
"use strict";
const { KafkaConnectClient } = require("kafka-connect-client");

const [address, file] = process.argv.slice(2);
const { hostname, port } = new URL(address);
const client = new KafkaConnectClient({ protocol: "http", host: hostname, port });
const name = "node-a";
const connector = client.connector(name);
const called = new Set();

const sorted = (v) => Array.isArray(v) ? v.map(sorted) : v && typeof v === "object"
  ? Object.fromEntries(Object.keys(v).sort().map((k) => [k, sorted(v[k])])) : v;
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// call calls until the answer is as it should be, and prints it. A real worker refuses calls while it rebalances.
async function call(operation, method, of, args = [], { until, show = (a) => a, end = 60_000 } = {}) {
  called.add(method);
  for (const deadline = Date.now() + end; ;) {
    let text, done;
    try {
      const { status, data } = await of[method](...args);
      done = !until || until(data);
      text = `${status} ${JSON.stringify(sorted(show(data)))}`;
    } catch (e) {
      const answer = e.response;
      text = answer ? `${e.name} ${answer.status} ${JSON.stringify(sorted(answer.data))}` : `${e.name} ${e.message}`;
      done = !until && !/rebalance/.test(text);
    }
    if (done || Date.now() > deadline) {
      console.log(`${operation}\t${method}\t${text}`);
      return;
    }
    await sleep(200);
  }
}

const config = (more) => ({ "connector.class": "FileStreamSource", "tasks.max": "1", file, topic: "lines-" + name, name, ...more });
const state = (...want) => ({ until: (s) => JSON.stringify([s.connector.state, ...s.tasks.map((t) => t.state)]) === JSON.stringify(want) });
const status = (...want) => call("status", "getStatus", connector, [], state(...want));
const ours = { show: (all) => all.filter((p) => p.class.startsWith("org.apache.kafka.connect.file.")) };
const checked = {
  show: (v) => ({ ...v, configs: v.configs.map(({ definition, value }) => ({ value, definition: definition && { ...definition, documentation: "", order: 0 } })) }),
};

async function main() {
  await call("info", "getCluster", client);
  await call("plugins", "getConnectorPlugins", client, [], ours);
  await call("plugins", "getConnectorPlugins", client, [{ connectorsOnly: false }], ours);
  await call("validate", "validateConnectorConfig", client, ["FileStreamSource", config()], checked);
  await call("validate", "validateConnectorConfig", client, ["FileStreamSource", { "connector.class": "FileStreamSource", transforms: "t" }], checked);
  await call("create", "createConnector", client, [name, config()]);
  await status("RUNNING", "RUNNING");
  await call("create", "createConnector", client, [name, config()]);
  await call("create", "create", client.connector("node-b"), [config({ name: "node-b", topic: "lines-node-b" })]);
  await call("status", "getStatus", client.connector("node-b"), [], state("RUNNING", "RUNNING"));
  await call("delete", "delete", client.connector("node-b"));
  await call("list", "getConnectors", client, [], { until: (all) => all.length === 1 });
  // axios writes expand[]=info, which Kafka Connect does not know.
  await call("expand", "getConnectors", client, [{ expand: ["info", "status"] }]);
  await call("expand", "getConnectors", client, [{ expand: "info" }]);
  await call("expand", "getConnectors", client, [{ expand: "status" }]);
  await call("get", "get", connector);
  await call("config", "getConfig", connector);
  await call("update", "updateConfig", connector, [config({ note: "é€ \"1\"" })]);
  await call("tasks", "getTasks", connector, [], { until: (all) => all.length === 1 && all[0].config.note });
  await status("RUNNING", "RUNNING");
  await call("update", "updateConfig", connector, [config({ name: "other" })]);
  await call("update", "updateConfig", connector, [config({ "tasks.max": "0" })]);
  await call("task-status", "getTaskStatus", connector, [0]);
  await call("task-status", "getTaskStatus", connector, [9]);
  await call("restart", "restart", connector);
  await status("RUNNING", "RUNNING");
  await call("restart", "restart", connector, [{ includeTasks: true, onlyFailed: false }]); // it sends them in the body, which nobody reads
  await status("RUNNING", "RUNNING");
  await call("offsets", "getOffsets", connector, [], { until: (o) => o.offsets.length === 1 });
  await call("topics", "getTopics", connector); // it looks for the name in text that it has not parsed
  // axios declares a form where there is no body, which Kafka Connect refuses: 415.
  for (const [operation, method, ...args] of [["reset-topics", "resetTopics"], ["pause", "pause"], ["resume", "resume"], ["stop", "stop"], ["restart-task", "restartTask", 0]]) {
    await call(operation, method, connector, args);
  }
  const offset = (position) => [[{ partition: { filename: file }, offset: position === null ? null : { position } }]];
  await call("alter-offsets", "alterOffsets", connector, offset(6)); // it runs
  await fetch(`${address}/connectors/${name}/stop`, { method: "PUT" }); // since the client's own is refused
  await status("STOPPED");
  await call("alter-offsets", "alterOffsets", connector, offset(6));
  await call("offsets", "getOffsets", connector, [], { until: (o) => o.offsets.length === 1 && o.offsets[0].offset.position === 6 });
  await call("alter-offsets", "alterOffsets", connector, offset(null));
  await call("offsets", "getOffsets", connector, [], { until: (o) => o.offsets.length === 0 }); // a real worker may show null in passing
  await call("alter-offsets", "alterOffsets", connector, offset(4));
  await call("alter-offsets", "alterOffsets", connector, [[]]);
  await call("reset-offsets", "resetOffsets", connector);
  await call("offsets", "getOffsets", connector, [], { until: (o) => o.offsets.length === 0 });
  await call("delete", "delete", connector);
  for (const method of ["get", "getConfig", "getTasks", "getOffsets", "pause", "resume", "stop", "delete", "resetOffsets"]) {
    await call("unknown", method, connector);
  }
  await call("list", "getConnectors", client);
  const every = [client, connector].flatMap((o) => Object.getOwnPropertyNames(Object.getPrototypeOf(o)).concat(
    Object.getOwnPropertyNames(o).filter((n) => typeof o[n] === "function" && n !== "axios")));
  console.log(`not called\t\t${JSON.stringify(every.filter((n) => !called.has(n) && n !== "constructor" && n !== "connector"))}`);
}

main();
