"""Reads the archive by pyarrow, out of the bucket: how many rows, and what the newest version of each order comes to.

STORE_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are those of archive.json."""
import os

from pyarrow import dataset, fs

scheme, _, host = os.environ["STORE_URL"].partition("://")
store = fs.S3FileSystem(scheme=scheme, endpoint_override=host, region="us-east-1")
files = dataset.dataset("orders-archive/topics/shop.orders", filesystem=store, format="parquet")
rows = files.to_table().sort_by("version").to_pylist()
newest = {r["id"]: r for r in rows}  # a later version takes the place of an earlier one
shipped = sum(r["status"] == "shipped" for r in newest.values())
print(f"{len(rows)} rows in {len(files.files)} files")
print(f"{len(newest)} orders, {shipped} shipped, {sum(r['amount'] for r in newest.values())} in all")
