"""`python -m fhir_server.definitions.packing SOURCE`: pack a folder of definitions."""

import sys
from pathlib import Path

from fhir_server.definitions.packing.packing import pack
from fhir_server.definitions.registry import R4


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: pack-definitions SOURCE (a folder of *.ndjson.gz)")
    pack(Path(sys.argv[1]), R4)
    for path in sorted(R4.iterdir()):
        sys.stdout.write(f"{path.stat().st_size:>10,} bytes {path}\n")


main()
