"""Extract the crops that training keeps aside from labelled tars, for ``stream-ocr eval recognizer``.

python benchmarks/validation_crops.py OUT.tar ARCHIVE.tar…
"""

import argparse
import io
import tarfile
from pathlib import Path

from stream_ocr.evaluation.recognizer import tar_files
from stream_ocr.training.data.word_crops import is_validation

LABELS = "labels.tsv"


def main(out: Path, archives: list[Path]) -> None:
    labels: list[str] = []
    with tarfile.open(out, "w") as kept:
        for archive in archives:
            files = dict(tar_files(archive))
            for line in files.pop(LABELS).decode("utf-8").splitlines():
                name, _, text = line.partition("\t")
                if name in files and is_validation(f"{archive.stem}/{name}"):
                    labels.append(f"{archive.stem}/{name}\t{text}")
                    add(kept, f"{archive.stem}/{name}", files[name])
        add(kept, LABELS, "".join(f"{line}\n" for line in labels).encode())
    print(f"{len(labels)} crops in {out}")


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT.tar", type=Path)
    parser.add_argument("archives", metavar="ARCHIVE.tar", type=Path, nargs="+")
    arguments = parser.parse_args()
    main(arguments.out, arguments.archives)
