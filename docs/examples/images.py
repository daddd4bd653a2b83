"""Print the lines of images that PIL opens: python images.py IMAGE... Needs pillow."""

import sys

import numpy as np
from PIL import Image, ImageOps

import stream_ocr

reader = stream_ocr.ImageReader(color="rgb")
for path in sys.argv[1:]:
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    for line in reader.read(np.asarray(image)):
        print(f"{path}  {line.confidence:.2f}  {line.text}")
