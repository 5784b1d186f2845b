"""XMP packets (ISO 16684-1): who made a picture and by what, in the form that other programs look for.

`digital_source_type` is a term of IPTC's NewsCodes: "trainedAlgorithmicMedia" was made by a trained network,
"compositeWithTrainedAlgorithmicMedia" holds something that was.
"""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path
from xml.sax.saxutils import escape, unescape

MADE_BY_NETWORK = "trainedAlgorithmicMedia"
HOLDS_SOME = "compositeWithTrainedAlgorithmicMedia"
_NEWS_CODES = "http://cv.iptc.org/newscodes/digitalsourcetype/"

# ISO base media: a box of type "uuid" with this identifier holds XMP (XMP specification part 3, "MPEG-4").
_XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


def source_type_url(term: str) -> str:
    """The address that stands for a term of the NewsCodes."""
    return _NEWS_CODES + term


def xmp_packet(*, tool: str, description: str, digital_source_type: str | None) -> bytes:
    """A packet with the creator tool, a description, and what kind of source the pictures have, if known."""
    source = ""
    if digital_source_type:
        url = source_type_url(digital_source_type)
        source = f"<Iptc4xmpExt:DigitalSourceType>{url}</Iptc4xmpExt:DigitalSourceType>"
    return f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">
<xmp:CreatorTool>{escape(tool)}</xmp:CreatorTool>{source}
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{escape(description)}</rdf:li></rdf:Alt></dc:description>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>""".encode()


def read_packet(packet: bytes) -> tuple[str | None, str | None]:
    """Description and address of the digital source type of a packet that `xmp_packet` made; None for what it lacks."""
    text = packet.decode("utf-8", "replace")
    description = re.search(r"<dc:description>.*?<rdf:li[^>]*>(.*?)</rdf:li>", text, re.DOTALL)
    source = re.search(r"<Iptc4xmpExt:DigitalSourceType>(.*?)</", text)
    return unescape(description[1]) if description else None, source[1] if source else None


def append_to_mp4(path: Path, packet: bytes) -> None:
    """Add a packet behind the last box of an MP4 or MOV, where no offset changes."""
    with path.open("ab") as file:
        file.write(struct.pack(">I4s", 24 + len(packet), b"uuid") + _XMP_BOX + packet)


def insert_into_png(path: Path, packet: bytes | None, cicp: tuple[int, int] | None) -> None:
    """Add a packet and coding-independent code points behind the header of a PNG (W3C PNG 3rd edition, 11.3.2.6 and
    11.3.3.4: primaries, transfer, no matrix, full range)."""
    chunks = b""
    if cicp:
        chunks += _png_chunk(b"cICP", bytes((*cicp, 0, 1)))
    if packet:
        chunks += _png_chunk(b"iTXt", b"XML:com.adobe.xmp" + bytes(5) + packet)
    if chunks:
        content = path.read_bytes()
        header_end = 8 + 25  # signature, then IHDR
        path.write_bytes(content[:header_end] + chunks + content[header_end:])


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
