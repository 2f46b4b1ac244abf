"""Drain3 on messages from stdin, by a Python that has it: cluster ids and seconds of processor time on stdout, as JSON.

stdin: {"messages": [text], "masks": [[name, pattern]], "similarity": number}
"""

from __future__ import annotations

import json
import sys
import time

from drain3 import TemplateMiner
from drain3.masking import LogMasker, MaskingInstruction
from drain3.template_miner_config import TemplateMinerConfig


def main() -> None:
    given = json.load(sys.stdin)
    config = TemplateMinerConfig()
    config.drain_sim_th = given["similarity"]
    miner = TemplateMiner(config=config)
    masks = [MaskingInstruction(pattern, name) for name, pattern in given["masks"]]
    masker = LogMasker(masks, "<", ">")
    drain = miner.drain
    began = time.process_time()
    ids = []
    for message in given["messages"]:
        cluster, _ = drain.add_log_message(masker.mask(message))
        ids.append(cluster.cluster_id)
    json.dump({"ids": ids, "seconds": time.process_time() - began}, sys.stdout)


if __name__ == "__main__":
    main()
