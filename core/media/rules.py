"""Media rules: the files of a draft held against what its platform allows."""

from collections import Counter
from collections.abc import Iterable, Iterator

from core.findings import Finding, Path
from core.limits import FileLimits, MediaKind, MediaLimits
from core.post import Media

_RATIO_TOLERANCE = 0.02


def fitted_finding(notes: Iterable[str], path: Path) -> Finding:
    """The warning that says how a picture will be changed."""
    words = f"The picture is made to fit: {'; '.join(notes)}. (mediaFit: off leaves it as it is.)"
    return Finding(code="media_fitted", path=path, message=words, severity="warning")


def count_findings(limits: MediaLimits, media: tuple[Media, ...], path: Path) -> Iterator[Finding]:
    """Too few, too many, or kinds that do not go together. A kind is only known of uploads."""
    fewest, most = limits.count
    at = (*path, "uploadIds")
    if len(media) < fewest:
        wanted = "one file" if fewest == 1 else f"at least {fewest} files"
        yield Finding(
            code="media_missing",
            path=at,
            message=f"Needs {wanted} ({' or '.join(limits.kinds)}): upload it and name it in uploadIds, "
            "or give its public URL in mediaUrls.",
        )
    elif len(media) > most:
        yield Finding(code="media_too_many", path=at, message=f"Has {len(media)} files; at most {most} fit.")
    if limits.bytes_max is not None and (together := sum(item.bytes or 0 for item in media)) > limits.bytes_max:
        words = f"All files together have {together:,} bytes; at most {limits.bytes_max:,} are taken."
        yield Finding(code="media_too_large", path=at, message=words)
    kinds: list[MediaKind] = [item.kind for item in media if item.kind]
    if not kinds:
        return
    counts = Counter(kinds)
    if len(counts) > 1 and not limits.mix:
        words = f"Has {' and '.join(f'{n} {kind}' for kind, n in counts.items())}; only files of one kind go together."
        yield Finding(code="media_mixed", path=at, message=words)
    for kind, number in counts.items():
        bounds = limits.of(kind)
        if bounds and bounds.count_max is not None and bounds.count_max < number <= most:
            words = f"Has {number} files of the kind {kind}; at most {bounds.count_max} fit."
            yield Finding(code="media_too_many", path=at, message=words)


def way_findings(limits: MediaLimits, media: Media, path: Path) -> Iterator[Finding]:
    """Whether a file can reach the platform: one that fetches by itself needs a public URL."""
    if limits.by == "url" and media.url is None and media.public_url is None and media.kind is not None:
        words = (
            "The platform fetches media by itself, and this server has no public address; give the file's public URL "
            "in mediaUrls, or let the operator set FINGERPOST_PUBLIC_URL."
        )
        yield Finding(code="media_not_public", path=path, message=words)


def file_findings(limits: MediaLimits, media: Media, path: Path) -> Iterator[Finding]:
    """What stands against one file. Of a public URL nothing is known, and nothing said."""
    if media.kind is None:
        return
    bounds = limits.of(media.kind)
    if bounds is None:
        if limits.kinds:
            words = f"This is a {media.kind}; it has to be: {', '.join(limits.kinds)}."
            yield Finding(code="media_kind", path=path, message=words)
        return
    yield from _form(bounds, media, path)
    yield from _pixels(bounds, media, path)
    if media.kind == "video":
        yield from _film(bounds, media, path)


def _form(limits: FileLimits, media: Media, path: Path) -> Iterator[Finding]:
    if media.mime and limits.mimes and media.mime not in limits.mimes:
        taken = " or ".join(limits.mimes)
        if media.kind == "image" and media.details.frames > 1:
            words = (
                f"This is an animation ({media.mime}), which would lose its motion as {taken}; send a still picture, "
                "or the animation as a film."
            )
            yield Finding(code="media_animated", path=path, message=words)
        else:
            words = f"{media.mime} is not taken here; convert the file to {taken}."
            yield Finding(code="media_type", path=path, message=words)
    if media.bytes and limits.bytes_max and media.bytes > limits.bytes_max:
        how = "export the film with a lower bit rate" if media.kind == "video" else "make the file smaller"
        words = f"{media.bytes:,} bytes are too many; at most {limits.bytes_max:,} are taken: {how}."
        yield Finding(code="media_too_large", path=path, message=words)


def _pixels(limits: FileLimits, media: Media, path: Path) -> Iterator[Finding]:
    if not media.width or not media.height:
        return
    size = f"{media.width}×{media.height} pixels"
    least, most, advised = limits.pixels_min, limits.pixels_max, limits.pixels_advised
    if most and (media.width > most[0] or media.height > most[1]):
        words = f"{size} are too many; at most {most[0]}×{most[1]} are taken: scale it down."
        yield Finding(code="media_too_many_pixels", path=path, message=words)
    if least and (media.width < least[0] or media.height < least[1]):
        words = f"{size} are too few; at least {least[0]}×{least[1]} are needed."
        yield Finding(code="media_too_small", path=path, message=words)
    elif advised and (media.width < advised[0] or media.height < advised[1]):
        words = f"{size} will look coarse; {advised[0]}×{advised[1]} or more are advised."
        yield Finding(code="media_small", path=path, message=words, severity="warning")
    yield from _shape(limits, media.width / media.height, size, path)


def _shape(limits: FileLimits, ratio: float, size: str, path: Path) -> Iterator[Finding]:
    if limits.ratio and not limits.ratio[0] <= ratio <= limits.ratio[1]:
        words = (
            f"{size} have the wrong shape; width divided by height has to be {limits.ratio[0]:g} to "
            f"{limits.ratio[1]:g}: crop it, which only you can decide how."
        )
        yield Finding(code="media_ratio", path=path, message=words)
    elif limits.ratio_advised:
        wide, high = limits.ratio_advised
        if abs(ratio * high / wide - 1) > _RATIO_TOLERANCE:
            words = f"{size} are not {wide}:{high}, the shape that is advised; it may be shown cropped."
            yield Finding(code="media_shape", path=path, message=words, severity="warning")


def _film(limits: FileLimits, media: Media, path: Path) -> Iterator[Finding]:
    if limits.seconds and media.seconds is not None:
        shortest, longest = limits.seconds
        if media.seconds < shortest:
            words = f"The film lasts {media.seconds:g} seconds; at least {shortest:g} are needed."
            yield Finding(code="media_too_brief", path=path, message=words)
        elif media.seconds > longest:
            words = f"The film lasts {media.seconds:g} seconds; at most {longest:g} are taken: cut it."
            yield Finding(code="media_too_lengthy", path=path, message=words)
    codecs = ((limits.video_codecs, media.details.video_codec), (limits.audio_codecs, media.details.audio_codec))
    for taken, codec in codecs:
        if taken and codec and codec not in taken:
            words = f"The film is coded as {codec}; export it again with {' or '.join(taken)}."
            yield Finding(code="media_codec", path=path, message=words)
    if media.details.location:
        words = "The film tells where it was made, and films are sent as they are; export it without its place."
        yield Finding(code="media_location", path=path, message=words, severity="warning")
