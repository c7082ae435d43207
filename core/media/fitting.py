"""Fitting, planned: what can be mended of a picture without losing content, from its facts and a platform's bounds."""

from collections.abc import Iterator

import msgspec

from core.limits import FileLimits
from core.media.facts import SRGB
from core.media.formats import AVIF, GIF, HEIC, JPEG, PNG, WEBP
from core.media.recipe import Recipe
from core.post import Media

_NAMES = {format.mime: format.name for format in (JPEG, PNG, GIF, WEBP, HEIC, AVIF)}
_PLAIN = frozenset({None, SRGB, "grey"})


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A recipe, what it does in words, and the picture as it will be; its bytes are not known before."""

    recipe: Recipe
    notes: tuple[str, ...]
    media: Media


def plan(media: Media, limits: FileLimits) -> Plan | None:
    """How `media` is made to fit, or None where nothing is to be done or nothing can be.

    An animation keeps as it is: it would lose its motion. So does a film: it would have to be coded anew.
    """
    if media.kind != "image" or media.mime is None or not media.width or not media.height:
        return None
    if media.details.frames > 1:
        return None
    mime = _target(media, limits)
    size = _scaled((media.width, media.height), limits.pixels_max)
    recipe = Recipe(
        mime=mime or "",
        turn=media.details.orientation != 1,
        srgb=media.details.colour not in _PLAIN,
        pixels_max=limits.pixels_max if size != (media.width, media.height) else None,
        bytes_max=limits.bytes_max,
    )
    notes = tuple(_notes(media, recipe, size, limits))
    if mime is None or not notes:
        return None
    if media.details.location and len(notes) == 1:
        recipe = Recipe(mime=mime, only_strip=True)
    after = msgspec.structs.replace(_after(media, recipe, size), changes=notes)
    return Plan(recipe=recipe, notes=notes, media=after)


def _target(media: Media, limits: FileLimits) -> str | None:
    """The type that it is sent as; None where the platform takes nothing that could hold it."""
    taken = limits.mimes or (JPEG.mime, PNG.mime)
    too_large = bool(limits.bytes_max and media.bytes and media.bytes > limits.bytes_max)
    keeps = media.mime in taken and media.mime in (JPEG.mime, PNG.mime)
    if keeps and not (too_large and media.mime == PNG.mime and not media.details.alpha):
        return media.mime
    if media.mime not in _NAMES:
        return None
    lossless = media.details.alpha or (media.mime == GIF.mime and not too_large)
    order = (PNG.mime,) if media.details.alpha else (PNG.mime, JPEG.mime) if lossless else (JPEG.mime, PNG.mime)
    return next((mime for mime in order if mime in taken), None)


def _notes(media: Media, recipe: Recipe, size: tuple[int, int], limits: FileLimits) -> Iterator[str]:
    if recipe.mime != media.mime:
        yield f"it is sent as {_NAMES.get(recipe.mime, recipe.mime)} instead of {_NAMES.get(media.mime or '')}"
    if recipe.turn:
        yield "it is turned as the camera was held"
    if recipe.srgb:
        yield f"its colours are brought from {media.details.colour} into sRGB"
    if recipe.pixels_max:
        yield f"it is scaled down to {size[0]}×{size[1]} pixels"
    if limits.bytes_max and media.bytes and media.bytes > limits.bytes_max and recipe.mime == media.mime:
        yield f"it is made smaller until it has at most {limits.bytes_max:,} bytes"
    if media.details.location:
        yield "the place where it was taken is left out"


def _scaled(size: tuple[int, int], most: tuple[int, int] | None) -> tuple[int, int]:
    if most is None or (size[0] <= most[0] and size[1] <= most[1]):
        return size
    share = min(most[0] / size[0], most[1] / size[1])
    return max(1, int(size[0] * share)), max(1, int(size[1] * share))


def _after(media: Media, recipe: Recipe, size: tuple[int, int]) -> Media:
    details = media.details
    if not recipe.only_strip:
        colour = SRGB if recipe.srgb else details.colour
        details = msgspec.structs.replace(details, orientation=1, colour=colour)
    return msgspec.structs.replace(
        media,
        mime=recipe.mime,
        bytes=None,
        width=size[0],
        height=size[1],
        details=msgspec.structs.replace(details, location=False),
        # Nobody can fetch what is not made yet.
        public_url=None,
        recipe=recipe,
    )
