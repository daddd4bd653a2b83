from stream_ocr.cli import main

main()
