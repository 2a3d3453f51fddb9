"""Character cards as other programs write them."""

import base64
import json
import struct
import zlib
from io import BytesIO

from PIL import Image

DATA = {
    "name": "Ilse",
    "description": "{{char}} is a lighthouse keeper. She speaks with {{user}}.",
    "personality": "dry, patient",
    "scenario": "A night on the island.",
    "first_mes": "Mind the step, {{user}}.",
    "mes_example": "<START>\n{{user}}: Is it lonely?\n{{char}}: With gulls? No.\n<START>\n{{char}}: Alone.",
    "creator_notes": "Made by hand.",
    "system_prompt": "{{original}} Stay on the island.",
    "post_history_instructions": "Keep it short.",
    "alternate_greetings": ["You again."],
    "character_book": {"entries": [{"keys": ["lamp"], "content": "It is old.", "extensions": {}}]},
    "tags": ["sea", "night"],
    "creator": "Otto",
    "character_version": "7",
    "extensions": {
        "other/program": {"depth": 12345678901234567890123, "share": 0.1, "odd": "\u0000\ud83d", "no": None}
    },
    "of_somebody_else": [1, 2.5, "three"],
}


def card(**changed):
    data = {**DATA, **changed}
    return {"spec": "chara_card_v2", "spec_version": "2.0", "data": data, "beside": True}


def as_json(whole=None):
    return json.dumps(whole or card()).encode()


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def picture(size=(40, 60)):
    out = BytesIO()
    Image.new("RGB", size, "navy").save(out, "PNG")
    return out.getvalue()


def as_png(text, *, keyword=b"chara", kind=b"tEXt", content=None):
    """The picture with a text chunk before its last one."""
    content = content or picture()
    end = content.rindex(b"IEND") - 4
    return content[:end] + chunk(kind, keyword + b"\0" + base64.b64encode(text)) + content[end:]


def card_in(png):
    """As another program reads it."""
    with Image.open(BytesIO(png)) as image:
        image.load()
        return json.loads(base64.b64decode(image.text["chara"]))
