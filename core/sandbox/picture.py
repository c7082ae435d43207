"""A picture to publish, for those who have none at hand."""

import io

from PIL import Image, ImageDraw


def sample_picture() -> bytes:
    """A fingerpost at a crossroads: a PNG of 1000 by 1500 pixels."""
    picture = Image.new("RGB", (1000, 1500), "#dfeaf2")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 1100, 1000, 1500), fill="#8fb573")
    draw.rectangle((480, 300, 520, 1250), fill="#6e4f33")
    draw.polygon([(200, 380), (800, 380), (880, 450), (800, 520), (200, 520)], fill="#fbf7ee", outline="#333333")
    draw.polygon([(800, 580), (200, 580), (120, 650), (200, 720), (800, 720)], fill="#fbf7ee", outline="#333333")
    content = io.BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()
