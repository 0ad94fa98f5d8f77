"""Checks who may include whom, and a few limits on files: include_rules.py ROOT | --self-test

graph <- partition <- sampler <- train <- datasets <- python
graph/{types,views,errors,feature_store}.h <- kernels <- sampler, train
"""

import re
import sys
import tempfile
from pathlib import Path

# Folder -> folders it may include from; a tuple of files where not the whole folder is open.
KERNEL_VIEW_OF_GRAPH = ("graph/types.h", "graph/views.h", "graph/errors.h", "graph/feature_store.h")
ALLOWED = {
    "graph": {"graph"},
    "kernels": {"kernels"},
    "partition": {"graph", "partition"},
    "sampler": {"graph", "partition", "kernels", "sampler"},
    "train": {"graph", "partition", "kernels", "sampler", "train"},
    "python": {"graph", "partition", "kernels", "sampler", "train", "datasets", "python"},
    "datasets": {"graph", "partition", "kernels", "sampler", "train", "datasets"},
}
# External header -> the files that may include it (by regular expression on the path).
WRAPPED = {
    "hdf5.h": re.compile(r"graph/hdf5\.h"),
    "metis.h": re.compile(r"partition/metis_partition\.cpp"),
}
MAX_LINES = 500
CPP_SUFFIXES = {".h", ".cpp", ".cu", ".cuh"}
CHECKED_FOLDERS = [*ALLOWED, "tests", "bench"]

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
CUDA_CONDITION = re.compile(r"^\s*#\s*(?:if|ifdef|ifndef|elif)\b.*(?:CUDA|NVCC)")


def include_problem(path: str, bracket: str, header: str) -> str | None:
    """What is wrong with `path` including `header`, if anything."""
    folder = path.split("/")[0]
    if folder not in ALLOWED:
        return None
    target = header.split("/")[0]
    wrapper = WRAPPED.get(header.split("/")[-1]) if target not in ALLOWED else None
    if wrapper is not None and not wrapper.fullmatch(path):
        return f"<{header}> may be included only by {wrapper.pattern}"
    if "/" not in header or target not in CHECKED_FOLDERS:
        return f'"{header}" is to be spelled from the root of the project' if bracket == '"' else None
    if target in ALLOWED[folder] or (folder == "kernels" and header in KERNEL_VIEW_OF_GRAPH):
        return None
    return f'{folder}/ may not include "{header}"'


def problems_in(path: str, text: str) -> list[str]:
    """All problems of one file, as `path:line: message`. path: relative to the root, with forward slashes."""
    lines = text.splitlines()
    problems = []
    if len(lines) > MAX_LINES:
        problems.append(f"{path}:{len(lines)}: longer than {MAX_LINES} lines")
    if not path.endswith(".py") and not path.endswith(".pyi"):
        for number, line in enumerate(lines, start=1):
            if CUDA_CONDITION.match(line):
                problems.append(
                    f"{path}:{number}: conditional on CUDA; let CMake choose the source file instead"
                )
            if match := INCLUDE.match(line):
                problem = include_problem(path, match[1], match[2])
                if problem:
                    problems.append(f"{path}:{number}: {problem}")
    return problems


def check_tree(root: Path) -> tuple[int, list[str]]:
    """The number of files read, and their problems."""
    num_files, problems = 0, []
    for folder in CHECKED_FOLDERS:
        for file in sorted((root / folder).rglob("*")):
            if file.suffix in CPP_SUFFIXES | {".py", ".pyi"}:
                num_files += 1
                problems += problems_in(file.relative_to(root).as_posix(), file.read_text(encoding="utf-8"))
    return num_files, problems


ALLOWED_EXAMPLES = {
    "graph/a.cpp": '#include "graph/a.h"\n#include <vector>\n#include <tbb/parallel_for.h>\n',
    "graph/hdf5.h": "#include <hdf5.h>\n",
    "graph/array_file.h": '#include "graph/hdf5.h"\n',
    "partition/metis_partition.cpp": '#include <metis.h>\n#include "graph/views.h"\n',
    "kernels/cpu/a.cpp": '#include "kernels/backend.h"\n#include "graph/feature_store.h"\n',
    "sampler/a.h": '#include "partition/partition.h"\n#include "kernels/tensor.h"\n',
    "train/a.h": '#include "sampler/plan.h"\n#include "graph/dataset.h"\n#ifndef NDEBUG\n#endif\n',
    "python/bindings.cpp": '#include <pybind11/pybind11.h>\n#include "train/trainer.h"\n',
    "datasets/main.cpp": '#include "train/train_command.h"\n',
    "tests/graph/a_test.cpp": '#include "datasets/source.h"\n#include <hdf5.h>\n',
    "bench/long.py": "x = 1\n" * MAX_LINES,
}
FORBIDDEN_EXAMPLES = {
    "graph/a.cpp": '#include "partition/partition.h"\n',
    "graph/b.h": '#include "train/trainer.h"\n',
    "graph/c.cpp": "#include <metis.h>\n",
    "graph/csr_graph.cpp": "#include <hdf5.h>\n",
    "graph/dataset.cpp": "#include <hdf5/serial/hdf5.h>\n",
    "partition/a.cpp": '#include "sampler/plan.h"\n',
    "partition/b.cpp": '  #  include "kernels/backend.h"\n',
    "partition/renumber.cpp": "#include <metis.h>\n",
    "kernels/a.cpp": '#include "graph/dataset.h"\n',
    "kernels/cpu/b.h": '#include "sampler/batch.h"\n',
    "sampler/a.cpp": '#include "train/trainer.h"\n',
    "sampler/b.cpp": "#include <train/trainer.h>\n",
    "sampler/c.cpp": '#include "plan.h"\n',
    "train/a.cpp": '#include "datasets/source.h"\n',
    "train/b.cpp": '#include "tests/support/graphs.h"\n',
    "datasets/a.cpp": '#include "python/bindings.h"\n',
    "kernels/c.cpp": "#ifdef KITH_HAS_CUDA\n#endif\n",
    "tests/a.cpp": "#if defined(__CUDACC__)\n#endif\n",
    "train/long.cpp": "\n" * (MAX_LINES + 1),
    "python/kith/long.py": "x = 1\n" * (MAX_LINES + 1),
}


def write_tree(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


def self_test() -> list[str]:
    """Plants every violation on its own in a clean tree and names those that go unnoticed."""
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        write_tree(Path(folder), ALLOWED_EXAMPLES)
        num_files, problems = check_tree(Path(folder))
        failures += [f"wrongly reported: {problem}" for problem in problems]
        if num_files != len(ALLOWED_EXAMPLES):
            failures.append(f"read {num_files} files of {len(ALLOWED_EXAMPLES)}")
    for path, text in FORBIDDEN_EXAMPLES.items():
        with tempfile.TemporaryDirectory() as folder:
            write_tree(Path(folder), ALLOWED_EXAMPLES | {path: text})
            problems = check_tree(Path(folder))[1]
            if len(problems) != 1 or not problems[0].startswith(path + ":"):
                failures.append(f"expected one problem in {path}, got {problems}")
    return failures


def main(arguments: list[str]) -> int:
    if arguments == ["--self-test"]:
        failures = self_test()
        print("\n".join(failures) or f"all {len(FORBIDDEN_EXAMPLES)} planted violations were caught")
        return 1 if failures else 0
    num_files, problems = check_tree(Path(arguments[0]))
    if num_files == 0:
        problems = [f"{arguments[0]}: no source files here"]
    print("\n".join(problems) or f"{num_files} files: no forbidden include")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
