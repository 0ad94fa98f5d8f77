"""Prepares a graph whose edges would take four times the addresses that the process may have.

KITH_FAULT_EDGES: of the edge list, 12 million unless set; the limit on addresses goes with them.
"""

import json
import os
import resource
import sys
import unittest

from command import FaultTest

EDGES = int(os.environ.get("KITH_FAULT_EDGES", "12000000"))
NODES = 100_000
# Both directions of an edge with their places in the source, twice: as it is sorted and as it is renumbered.
BYTES_AN_EDGE = 2 * 2 * (4 + 8)
LIMIT = EDGES * BYTES_AN_EDGE // 4


def limit_addresses():
    # Every thread takes addresses for its stack, and of threads there are as many as processors.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))


def source_of(edge):
    return edge * 7919 % NODES


def target_of(edge):
    """Four of five in the same hundred."""
    place = edge * 2654435761 >> 7
    return source_of(edge) // 100 * 100 + place % 100 if edge % 5 else place % NODES


class LargeGraph(FaultTest):
    def setUp(self):
        super().setUp()
        with open(self.folder / "g.txt", "w", encoding="ascii") as out:
            # Every edge four times, in blocks, so that writing them is quick; most stay near their source.
            for begin in range(0, EDGES // 4, 100_000):
                edges = range(begin, min(begin + 100_000, EDGES // 4))
                block = "".join(f"{source_of(i)} {target_of(i)}\n" for i in edges)
                out.write(4 * block)

    def test_fits_where_its_edges_do_not(self):
        prepare = "prepare g.txt --symmetrize --edge-ids --method lpa --partition-cache none".split()
        self.ok(*prepare, "-o", "reference.kith.h5")
        reference = self.checksums("reference.kith.h5")
        for memory in (["--memory", "24MiB"], []):  # as told, and as the limit is found out
            command = [*prepare, *memory, "--json", "-", "-o", "out.kith.h5"]
            report = json.loads(self.ok(*command, preexec_fn=limit_addresses))
            self.assertTrue(report["edges_in_files"])
            self.assertLess(report["peak_rss_bytes"], LIMIT)
            self.assertEqual(self.checksums("out.kith.h5"), reference)
            print(
                f"{report['source_edges']} stored edges, {report['edges']} in the graph, {LIMIT >> 20} MiB of "
                f"addresses {memory}: {report['peak_rss_bytes'] >> 20} MiB at the peak, "
                f"{report['temporary_bytes'] >> 20} MiB of temporary files"
            )


if __name__ == "__main__":
    sys.exit(not unittest.main(exit=False).result.wasSuccessful())
