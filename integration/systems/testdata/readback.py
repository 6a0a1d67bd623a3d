"""Reads every object below a directory by libraries that share nothing with Sluice, and prints what the records' numbers
are: `records=… distinct=… least=… most=… files=…`."""
import gzip
import json
import pathlib
import sys

import fastavro
import pyarrow.parquet


def read(path):
    name = path.name
    if name.endswith(".json"):
        return [json.loads(line) for line in path.read_text().splitlines()]
    if name.endswith(".json.gz"):
        return [json.loads(line) for line in gzip.open(path, "rt")]
    if name.endswith(".avro"):
        with open(path, "rb") as f:
            return list(fastavro.reader(f))
    if name.endswith(".parquet"):
        return pyarrow.parquet.read_table(path).to_pylist()
    raise SystemExit(f"{path}: no reader")


numbers, files = [], 0
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*")):
    if not path.is_file() or ".sgwtmp" in str(path):
        continue
    files += 1
    for r in read(path):
        if r["text"] != f"record {r['n']}":
            raise SystemExit(f"{path}: {r}")
        numbers.append(r["n"])
print(f"records={len(numbers)} distinct={len(set(numbers))} least={min(numbers, default=None)} most={max(numbers, default=None)} files={files}")
