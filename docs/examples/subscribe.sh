#!/bin/sh
# One line of JSON for every text that looks like a gate; jq picks what is wanted from it.
stream-ocr subscribe "${1:-tcp://127.0.0.1:5560}" --since start --grep 'GATE [0-9]+' --json ${2:+--count "$2"} |
    jq --unbuffered -r '[.stream, .start, .text] | @tsv'
