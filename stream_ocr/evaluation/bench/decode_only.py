"""Contestant ``decoding``: decoding alone, an upper bound on speed.

python -m stream_ocr.evaluation.bench.decode_only FILE THREADS
"""

import json
import sys
import time

import av


def main(file: str, threads: int) -> None:
    """Decode every frame of a file with PyAV and print counts and seconds as JSON."""
    started, frames = time.monotonic(), 0
    with av.open(file) as container:
        video = container.streams.video[0]
        video.codec_context.thread_type = "SLICE"  # as in our own decoder: no frame waits for another
        video.codec_context.thread_count = threads
        for _ in container.decode(video):
            frames += 1
    sys.stdout.write(json.dumps({"frames": frames, "running_s": time.monotonic() - started}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
