"""Follows the runs of Threadworks over Kafka: `pip install aiokafka`, then `python subscriber.py`."""

import asyncio
import json
import os
from collections import OrderedDict

from aiokafka import AIOKafkaConsumer


async def main() -> None:
    """Print what happens to runs."""
    consumer = AIOKafkaConsumer(
        "threadworks.run-events.v1",
        bootstrap_servers=os.environ.get("KAFKA", "127.0.0.1:9092"),
        group_id=os.environ.get("GROUP", "example-subscriber-python"),  # your own: groups share nothing
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    known: OrderedDict[str, None] = OrderedDict()
    await consumer.start()
    try:
        async for record in consumer:
            event = {name: value.decode() for name, value in record.headers}
            # At least once: what comes again has the same id. Work that must not be done twice keeps ids in a database.
            if event["ce_id"] not in known and event["ce_type"].startswith("threadworks.run."):
                run = json.loads(record.value)["run"]
                print(event["ce_type"], event["ce_seq"], run["id"], run["status"], flush=True)
            known[event["ce_id"]] = None
            if len(known) > 10_000:
                known.popitem(last=False)
            await consumer.commit()  # after the work is done; every hundred records is enough where there are many
    finally:
        await consumer.stop()


asyncio.run(main())
