"""Every call of kafka-connect-py, of its class and of its command line: client.py URL FILE.

A line is `operation<TAB>call<TAB>answer`, the answer as the client parsed it. The last line names the calls not made.
"""
import json
import sys
import time

from click.testing import CliRunner
from kafka_connect.cli import cli
from kafka_connect.kafka_connect import KafkaConnect
from requests.exceptions import HTTPError

url, file = sys.argv[1:]
kc, runner = KafkaConnect(url), CliRunner()
called = set()


def rebalancing(error):
    return "rebalance" in (error.response.text if error.response is not None else str(error))


def plain(answer):
    """An answer without what is no part of the contract."""
    if isinstance(answer, dict) and "configs" in answer:
        for c in answer["configs"]:
            for key in ("documentation", "order"):
                (c["definition"] or {}).pop(key, None)
    return answer


def call(operation, name, f, until=None, show=None):
    """Calls until the answer is as it should be, and prints it. A real worker refuses calls while it rebalances."""
    deadline = time.monotonic() + 60
    while True:
        try:
            answer = f()
            done = until is None or until(answer)
            text = json.dumps(plain(answer) if show is None else show(answer), sort_keys=True)
        except HTTPError as e:
            done, text = until is None and not rebalancing(e), "%s: %s" % (type(e).__name__, e)
        if done or time.monotonic() > deadline:
            called.add(name)
            print("%s\t%s\t%s" % (operation, name, text), flush=True)
            return
        time.sleep(0.2)


def ours(plugins):
    return [p for p in plugins if p["class"].startswith("org.apache.kafka.connect.file.")]


def method(operation, name, *args, until=None, show=None, **kw):
    call(operation, name, lambda: getattr(kc, name)(*args, **kw), until, show)


def command(operation, *args, until=None, show=None):
    def f():
        result = runner.invoke(cli, ["--url", url, "--log-level", "CRITICAL", *args])
        if result.exception:
            raise result.exception
        return json.loads(result.stdout) if result.stdout else None

    call(operation, "kc " + args[0], f, until, show)


def config(name, **more):
    return {"connector.class": "FileStreamSource", "tasks.max": "1", "file": file, "topic": "lines-" + name, "name": name, **more}


def noted(tasks):
    return len(tasks) == 1 and "note" in tasks[0]["config"]


def state(*states):
    return lambda s: [s["connector"]["state"]] + [t["state"] for t in s["tasks"]] == list(states)


def states(*want):
    return lambda all_: all(state(*want)(s["status"]) for s in all_.values())


def status(name, *want):
    method("status", "get_connector_status", name, until=state(*want))


a = "kc-a"
method("info", "get_cluster_info")
method("plugins", "list_connector_plugins", show=ours)
method("validate", "validate_connector_config", "FileStreamSource", config(a))
method("validate", "validate_connector_config", "FileStreamSource", {"connector.class": "FileStreamSource", "tasks.max": "x"})
method("create", "create_connector", {"name": a, "config": config(a)})
status(a, "RUNNING", "RUNNING")
method("create", "create_connector", {"name": a, "config": config(a)})
method("create", "create_connector", {"name": "kc-bad", "config": {"connector.class": "FileStreamSource"}})
method("list", "list_connectors")
method("expand", "list_connectors", expand="info")
method("expand", "list_connectors", expand="status")
method("expand", "list_connectors", pattern="kc-.*", state="RUNNING")
method("get", "get_connector", a)
method("config", "get_connector_config", a)
method("update", "update_connector", a, config(a, note="é€ 1"))
method("tasks", "list_connector_tasks", a, until=noted)
status(a, "RUNNING", "RUNNING")
method("update", "update_connector", a, config("other"))
method("task-status", "get_connector_task_status", a, 0)
method("task-status", "get_connector_task_status", a, 7)
method("topics", "list_connector_topics", a, until=lambda t: t[a]["topics"])
method("reset-topics", "reset_connector_topics", a)
method("pause", "pause_connector", a)
status(a, "PAUSED", "PAUSED")
method("resume", "resume_connector", a)
status(a, "RUNNING", "RUNNING")
method("restart", "restart_connector", a)
status(a, "RUNNING", "RUNNING")
method("restart", "restart_connector", a, include_tasks=True)
status(a, "RUNNING", "RUNNING")
method("restart", "restart_connector", a, include_tasks=True, only_failed=True)
method("restart-task", "restart_connector_task", a, 0)
status(a, "RUNNING", "RUNNING")
method("stop", "stop_connector", a)
status(a, "STOPPED")
for name, want in ("resume_all_connectors", "RUNNING RUNNING"), ("pause_all_connectors", "PAUSED PAUSED"), ("stop_all_connectors", "STOPPED"):
    method(name.split("_")[0], name, pattern="kc-.*")
    status(a, *want.split())
method("resume", "resume_connector", a)
status(a, "RUNNING", "RUNNING")
method("restart", "restart_all_connectors", pattern="kc-.*", include_tasks=True)
status(a, "RUNNING", "RUNNING")
method("delete", "delete_connector", a)
method("get", "get_connector", a)
method("pause", "pause_connector", a)
method("delete", "delete_connector", a)

b = "kc b"  # requests encodes the blank
method("create", "create_connector", {"name": b, "config": config(b)})
status(b, "RUNNING", "RUNNING")
method("get", "get_connector", b)
method("delete", "delete_all_connectors", pattern="kc.*")
method("list", "list_connectors")

c = "kc-c"
command("info", "info")
command("plugins", "list-plugins", show=ours)
command("create", "create", "-d", json.dumps({"name": c, "config": config(c)}))
command("status", "status", c, until=state("RUNNING", "RUNNING"))
command("create", "create", "-d", json.dumps({"name": c, "config": config(c)}))
command("list", "list")
command("expand", "list", "--expand", "status")
command("expand", "list", "--expand", "info", "--pattern", "kc-.*", "--state", "RUNNING")
command("get", "get", c)
command("config", "config", c)
command("update", "update", c, "-d", json.dumps(config(c, note="2")))
command("tasks", "list-tasks", c, until=noted)
command("status", "status", c, until=state("RUNNING", "RUNNING"))
command("task-status", "task-status", c, "0")
command("topics", "list-topics", c, until=lambda t: t[c]["topics"])
command("reset-topics", "reset-topics", c)
command("pause", "pause", c)
command("status", "status", c, until=state("PAUSED", "PAUSED"))
command("resume", "resume", "--all", "--pattern", "kc-.*")
command("status", "status", c, until=state("RUNNING", "RUNNING"))
command("restart", "restart", c, "--include-tasks", show=lambda s: s["name"])
command("status", "status", c, until=state("RUNNING", "RUNNING"))
command("restart-task", "restart-task", c, "0")
command("status", "status", c, until=state("RUNNING", "RUNNING"))
# It sends the config's text as one JSON string, which is no config: Kafka Connect answers 500, Sluice 400.
refused = runner.invoke(cli, ["--url", url, "validate-config", "FileStreamSource", "-d", json.dumps(config(c))]).exception
called.add("kc validate-config")
print("validate\tkc validate-config\trefused: %s" % (refused.response.status_code >= 400))
command("delete", "delete", c)
command("get", "get", c)

every = {n for n in vars(KafkaConnect) if not n.startswith("_")} | {"kc " + n for n in cli.commands}
print("not called\t\t%s" % sorted(every - called))
