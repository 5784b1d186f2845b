"""Export a movie or frame sequence as MP4 (or MKV, GIF, stills): `vidgan export` as a program of its own.

python tools/export_mp4.py "takes/dawn.####.png" dawn.mp4 --rate 24000/1001
"""

import typer

from vidgan.commands.review import export
from vidgan.commands.terminal import mistakes_in_one_line

if __name__ == "__main__":
    typer.run(mistakes_in_one_line(export))
