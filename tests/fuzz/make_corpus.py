"""Writes the seeds of the fuzz targets, valid files and plainly hostile ones: make_corpus.py [FOLDER]

Needs NumPy and h5py. The files are committed, so this runs only when one is added. Inputs that a fuzzer found
stand beside them, named after what they do.
"""

import argparse
import gzip
import io
import struct
import zipfile
from pathlib import Path

import h5py
import numpy as np

NPY_VERSION_1 = b"\x93NUMPY\x01\x00"


def parts(files: dict[str, bytes]) -> bytes:
    """Several files in one input, as tests/fuzz/target.h splits them."""
    return b"\n".join(b"=== %s\n%s" % (name.encode(), content) for name, content in files.items())


def npy(array) -> bytes:
    out = io.BytesIO()
    np.save(out, np.asarray(array))
    return out.getvalue()


def raw_npy(descr: str, shape: str, values: bytes = b"", fortran: str = "False") -> bytes:
    """An .npy entry with any header."""
    header = f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n".encode()
    return NPY_VERSION_1 + struct.pack("<H", len(header)) + header + values


def arrays(**named) -> bytes:
    return parts(
        {f"{key}.npy": value if isinstance(value, bytes) else npy(value) for key, value in named.items()}
    )


def archive(entries: dict[str, bytes], method=zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as zipped:
        for name, content in entries.items():
            zipped.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, method)
    return out.getvalue()


EDGES = np.array([[0, 1, 2, 2], [1, 0, 3, 2]])


def npz() -> dict[str, bytes]:
    sparse = {
        "x_indptr": np.array([0, 1, 1, 2, 3]),
        "x_indices": np.array([0, 1, 2]),
        "x_data": np.ones(3, np.float32),
        "x_shape": np.array([4, 3]),
    }
    sparse_labels = {
        "y_indptr": np.array([0, 1, 1, 2, 3]),
        "y_indices": np.array([0, 1, 2]),
        "y_shape": np.array([4, 3]),
    }
    huge = "(1073741824,)"
    bomb = archive({"edge_index.npy": npy(np.zeros((2, 1 << 16), np.int64))})
    return {
        "dense": arrays(
            edge_index=EDGES,
            x=np.eye(4, dtype=np.float32),
            y=np.array([0, 1, -1, 1]),
            train_mask=np.array([True, False, True, False]),
            num_nodes=np.array(4),
            directed=np.array(True),
        ),
        "pairs": arrays(edges=EDGES.T.copy(), x=np.eye(4, dtype=np.float16), y=np.eye(4, dtype=np.uint8)),
        "fortran": arrays(edge_index=np.asfortranarray(EDGES.astype(np.uint16)), num_nodes=np.array([5])),
        "sparse": arrays(edge_index=EDGES, **sparse, **sparse_labels, meta=np.array('{"directed": true}')),
        "archive": archive({"edge_index.npy": npy(EDGES), "x.npy": npy(np.eye(4))}),
        "archive_stored": archive({"edge_index.npy": npy(EDGES)}, zipfile.ZIP_STORED),
        "archive_bzip2": archive({"edge_index.npy": npy(EDGES)}, zipfile.ZIP_BZIP2),
        "archive_paths": archive({"../edge_index.npy": npy(EDGES), "/x.npy": npy(EDGES)}),
        "archive_cut": archive({"edge_index.npy": npy(EDGES)})[:-30],
        "deflated_zeros": bomb,
        "deflated_zeros_lie": bomb.replace(struct.pack("<I", 2 * 8 * (1 << 16) + 128), b"\xff\xff\xff\x7f"),
        "big_endian": arrays(edge_index=raw_npy("'>i4'", "(2, 1)", bytes(8))),
        "objects": arrays(edge_index=EDGES, x=raw_npy("'|O'", "(4, 1)", bytes(32))),
        "structured": arrays(edge_index=raw_npy("[('a', '<i4')]", "(2, 1)", bytes(8))),
        "no_values": arrays(edge_index=raw_npy("'<i8'", f"(2, {1 << 40})")),
        "overflow": arrays(edge_index=raw_npy("'<i8'", f"(2, {1 << 62}, 4)")),
        "many_rows_without_columns": arrays(edge_index=EDGES, x=raw_npy("'<f4'", "(2147483000, 0)")),
        "many_labels_without_columns": arrays(
            edge_index=EDGES, num_nodes=np.array(2147483000), y=raw_npy("'<i8'", "(2147483000, 0)")
        ),
        "many_isolated_nodes": arrays(edge_index=EDGES, num_nodes=np.array(2147483646)),
        "large_id": arrays(edge_index=np.array([[2147483640], [0]])),
        "wide_sparse_rows": arrays(edge_index=EDGES, **{**sparse, "x_shape": np.array([4, 1 << 22])}),
        "wide_sparse_labels": arrays(
            edge_index=EDGES, **{**sparse_labels, "y_shape": np.array([4, 1 << 19])}, num_nodes=np.array(4)
        ),
        "deep_meta": arrays(edge_index=EDGES, meta=np.array("[" * 3000)),
        "long_header": arrays(edge_index=NPY_VERSION_1[:6] + b"\x02\x00" + struct.pack("<I", 1 << 31)),
        "mask_of_rows": arrays(edge_index=EDGES, train_mask=raw_npy("'|b1'", huge, bytes(8))),
    }


def edgelist() -> dict[str, bytes]:
    text = b"# a graph\n0 1\n1\t2\n2,0\n7 7\n\n"
    return {
        "plain": text,
        "csv": b"source,target\n0,1\n1,2\n",
        "windows": b"0 1\r\n1 2\r\n",
        "gzip": gzip.compress(text, mtime=0),
        "gzip_cut": gzip.compress(text * 20, mtime=0)[:-9],
        "gzip_of_newlines": gzip.compress(b"0 1\n" + b"\n" * (1 << 22), mtime=0),
        "large_ids": b"9223372036854775807 0\n9223372036854775806 8388607\n8388608 1\n",
        "too_large": b"9223372036854775808 0\n",
        "negative": b"-1 0\n",
        "long_token": b"1" * 2000 + b" 2\n",
        "blanks": b" " * 3000 + b"1 2\n",
        "no_newline": b"5 6",
        "zeros": bytes(64),
        "gzip_large_id": gzip.compress(b"34359738367 0\n" + b"0 1\n" * 4096, mtime=0),
    }


def metis() -> dict[str, bytes]:
    return {
        "plain": b"% triangle and a tail\n4 4\n2 3\n1 3\n1 2 4\n3\n",
        "weights": b"3 2 111 2\n1 4 5 2 7\n1 4 5 1 7 3 9\n2 1 1 2 9\n",
        "isolated": b"2 0\n\n\n",
        "gzip": gzip.compress(b"2 1\n2\n1\n", mtime=0),
        "one_way": b"3 1\n2 3\n\n\n",
        "many_nodes": b"2147483646 0\n",
        "many_nodes_gzip": gzip.compress(b"4000000 0\n" + b"\n" * 4000, mtime=0),
        "many_weights": b"1 0 010 1048576\n1\n",
        "many_edges": b"2 4611686018427387903\n2\n1\n",
    }


def mtx() -> dict[str, bytes]:
    head = b"%%MatrixMarket matrix coordinate "
    return {
        "pattern": head + b"pattern general\n% x\n3 3 2\n1 2\n3 1\n",
        "real": head + b"real symmetric\n2 2 1\n2 1 0.5\n",
        "complex": head + b"complex hermitian\n2 2 1\n2 1 0.5 1\n",
        "gzip": gzip.compress(head + b"pattern general\n3 3 1\n1 2\n", mtime=0),
        "array": b"%%MatrixMarket matrix array real general\n1 1\n1\n",
        "many_nodes": head + b"pattern general\n2147483646 2147483646 0\n",
        "many_entries": head + b"pattern general\n3 3 9223372036854775807\n1 2\n",
        "not_square": head + b"pattern general\n3 4 0\n",
    }


def ogb() -> dict[str, bytes]:
    plain = {
        "raw/edge.csv": b"0,1\n1,2\n",
        "raw/num-node-list.csv": b"3\n",
        "raw/num-edge-list.csv": b"2\n",
        "raw/node-feat.csv": b"0.5,1\n1e-3,2\n-1,nan\n",
        "raw/node-label.csv": b"0\n1\nnan\n",
        "split/time/train.csv": b"0\n",
        "split/time/valid.csv": b"1\n",
        "split/time/test.csv": b"2\n",
    }
    zipped = {
        "raw/edge.csv.gz": gzip.compress(plain["raw/edge.csv"], mtime=0),
        "raw/node-feat.csv.gz": gzip.compress(plain["raw/node-feat.csv"], mtime=0),
    }
    rest = {name: content for name, content in plain.items() if f"{name}.gz" not in zipped}
    return {
        "plain": parts(plain),
        "gzip": parts(rest | zipped),
        "several_labels": parts(plain | {"raw/node-label.csv": b"0,1\n1,1\nnan,0\n"}),
        "many_nodes": parts(plain | {"raw/num-node-list.csv": b"2147483646\n"}),
        "many_nodes_without_data": parts(
            {name: plain[name] for name in ("raw/edge.csv", "raw/num-edge-list.csv")}
            | {"raw/num-node-list.csv": b"2147483646\n"}
        ),
        "no_nodes": parts(plain | {"raw/num-node-list.csv": b"0\n"}),
        "more_edges": parts(plain | {"raw/edge.csv": b"0,1\n" * 50}),
        "two_graphs": parts(plain | {"raw/num-node-list.csv": b"3\n4\n"}),
        "large_class": parts(plain | {"raw/node-label.csv": b"0\n1048576\n2\n"}),
    }


def pickled_csr(shape, bounds, columns) -> bytes:
    """A csr_matrix as protocol 0 would write it, by hand: these files come from Python 2."""

    def array(values, kind):
        data = np.array(values, kind)
        dtype = f"cnumpy\ndtype\n(S'{kind[1:]}'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb".encode()
        head = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
        text = data.tobytes()
        return (
            head + b"(I1\n(I%d\nt" % data.size + dtype + b"I00\nT" + struct.pack("<I", len(text)) + text + b"tb"
        )

    return (
        b"ccopy_reg\n_reconstructor\n(cscipy.sparse.csr\ncsr_matrix\nc__builtin__\nobject\nNtR(dS'_shape'\n(I%d\nI%d\nts"
        % shape
        + b"S'indptr'\n"
        + array(bounds, "<i4")
        + b"s"
        + b"S'indices'\n"
        + array(columns, "<i4")
        + b"s"
        + b"S'data'\n"
        + array([1] * len(columns), "<f4")
        + b"sb."
    )


def pickled_rows(rows) -> bytes:
    data = np.array(rows, "<i4")
    head = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
    dtype = b"cnumpy\ndtype\n(S'i4'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb"
    text = data.tobytes()
    return (
        head
        + b"(I1\n(I%d\nI%d\nt" % data.shape
        + dtype
        + b"I00\nT"
        + struct.pack("<I", len(text))
        + text
        + b"tb."
    )


def planetoid() -> dict[str, bytes]:
    plain = {
        "ind.a.x": pickled_csr((1, 3), [0, 1], [0]),
        "ind.a.tx": pickled_csr((1, 3), [0, 1], [2]),
        "ind.a.allx": pickled_csr((2, 3), [0, 1, 2], [0, 1]),
        "ind.a.y": pickled_rows([[1, 0]]),
        "ind.a.ty": pickled_rows([[0, 1]]),
        "ind.a.ally": pickled_rows([[1, 0], [0, 1]]),
        "ind.a.graph": b"(dI0\n(lI1\naI2\nasI1\n(lI0\nasI2\n(lI0\nas.",
        "ind.a.test.index": b"2\n",
    }
    # A list that many nodes share: 20 KB of pickle that stand for 4 M edges.
    shared = b"(dI0\n(l" + b"I1\na" * 2000 + b"p0\ns" + b"I1\ng0\ns" * 2000 + b"."
    return {
        "plain": parts(plain),
        "shared_lists": parts(plain | {"ind.a.graph": shared}),
        "list_in_itself": parts(plain | {"ind.a.graph": b"(dI0\n(lp0\ng0\nas."}),
        "call": parts(plain | {"ind.a.graph": b"cos\nsystem\n(S'true'\ntR."}),
        "wide_rows": parts(
            plain
            | {"ind.a.tx": pickled_csr((1, 1 << 22), [0, 1], [2])}
            | {"ind.a.allx": pickled_csr((2, 1 << 22), [0, 1, 2], [0, 1])}
        ),
        "far_test_id": parts(plain | {"ind.a.test.index": b"2147483645\n"}),
        "unsorted_bounds": parts(plain | {"ind.a.allx": pickled_csr((2, 3), [0, 5, 2], [0, 1])}),
    }


def contiguous(file: h5py.File, name: str, values) -> None:
    file.create_dataset(name, data=values)


def dataset_file(version, change=lambda file: None, **attributes) -> bytes:
    out = io.BytesIO()
    with h5py.File(out, "w", libver=version) as file:
        contiguous(file, "graph/offsets", np.array([0, 1, 2, 3, 4], "<i8"))
        contiguous(file, "graph/neighbors", np.array([1, 0, 3, 2], "<i4"))
        contiguous(file, "nodes/original_id", np.arange(4, dtype="<i8"))
        contiguous(file, "nodes/label", np.array([0, 1, -1, 1], "<i4"))
        contiguous(file, "communities/level0", np.array([0, 2, 4], "<i8"))
        contiguous(file, "communities/level1", np.array([0, 4], "<i8"))
        contiguous(file, "features", np.eye(4, dtype="<f4"))
        for split, ids in {"train": [0, 1], "valid": [2], "test": [3]}.items():
            contiguous(file, f"split/{split}", np.array(ids, "<i4"))
        known = {"format_version": np.int32(1), "generator": "kith", "source": "s", "method": "planted"}
        known |= {"seed": np.uint64(1), "directed": np.int32(0), "num_classes": np.int32(2), "created": "-"}
        for name, value in (known | attributes).items():
            file.attrs[name] = np.bytes_(value) if isinstance(value, str) else value
        change(file)
    return out.getvalue()


def replace(name: str, values, **options):
    def change(file: h5py.File) -> None:
        del file[name]
        file.create_dataset(name, data=values, **options)

    return change


def external_link(file: h5py.File) -> None:
    del file["features"]
    file["features"] = h5py.ExternalLink("/proc/self/exe", "/features")


def endless_heap(file: bytes) -> bytes:
    """Behind the one text in the heap of texts there is an object of no length instead of free space."""
    free_space = file.index(b"GCOL") + 16 + 24 + 8
    return file[:free_space] + struct.pack("<Q", 216) + file[free_space + 8 :]


def many_levels(file: h5py.File) -> None:
    for level in range(2, 100):
        file[f"communities/level{level}"] = file["communities/level1"]


def dataset() -> dict[str, bytes]:
    old, new = ("earliest", "v108"), ("v108", "v108")
    text_of_any_length = dataset_file(new, lambda file: file.attrs.__setitem__("source", "any"))
    return {
        "old": dataset_file(old),
        "new": dataset_file(new),
        "text_of_any_length": text_of_any_length,
        "endless_heap": endless_heap(text_of_any_length),
        "external_link": dataset_file(new, external_link),
        "many_levels": dataset_file(new, many_levels),
        "many_classes": dataset_file(new, num_classes=np.int32(2147483647)),
        "negative_offset": dataset_file(new, replace("graph/offsets", np.array([0, -1, 2, 3, 4], "<i8"))),
        "neighbor_out_of_range": dataset_file(new, replace("graph/neighbors", np.array([1, 0, 9, 2], "<i4"))),
        "wrong_type": dataset_file(new, replace("graph/neighbors", np.arange(4.0))),
        "compressed": dataset_file(new, replace("features", np.eye(4, dtype="<f4"), compression="gzip")),
        "no_nodes_wide": dataset_file(new, replace("features", np.zeros((0, 2147483647), "<f4"))),
    }


READERS = {
    "npz": npz,
    "edgelist": edgelist,
    "metis": metis,
    "mtx": mtx,
    "ogb": ogb,
    "planetoid": planetoid,
    "dataset": dataset,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).parent / "corpus")
    root = parser.parse_args().folder
    for reader, make in READERS.items():
        (root / reader).mkdir(parents=True, exist_ok=True)
        for name, content in make().items():
            (root / reader / name).write_bytes(content)


if __name__ == "__main__":
    main()
