"""The shortcut: a draft of which there is nothing to say is made at once, and nearly all are such."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from core.adapter import Adapter
from core.drafting import AnyAdapter, alt_text_of, fits, length_findings, put_in
from core.limits import Limits
from core.placing import placed
from core.post import Account, AnyShared, Block, Draft, Media
from core.soundness import is_plain_text, made_of_sound


class Shortcut:
    """What an adapter declares, laid ready for drafts of which there is nothing to say.

    It takes the steps that `core.drafting` takes, and gives up at the first that has anything to tell.
    """

    def __init__(self, adapter: AnyAdapter) -> None:
        self._adapter = adapter
        self._block = adapter.block
        self._fills = adapter.fills
        self._rules = adapter.rules
        self._limits = adapter.limits if type(adapter).limits_of is Adapter.limits_of else None
        self._says = adapter.attribute(adapter.alt_text_field) if adapter.alt_text_field is not None else None

    def draft(
        self, shared: AnyShared, block: Mapping[str, Any], account: Account | None, uploads: Mapping[str, Media]
    ) -> Draft[Any] | None:
        """The draft of a block, if there is certainly nothing to say of it, nor anything to keep with the block.

        What the request says is known to be plain, see `core.soundness`.
        """
        adapter, filled = self._adapter, block
        limits = self._limits or adapter.limits_of(account)
        for fill in self._fills:
            has = filled.get(fill.field)
            if has is not None and not fill.below:
                continue
            source: str | None = getattr(shared, fill.source)
            if not source:
                if fill.source == "alt_text" and uploads and alt_text_of(block, shared, uploads, ())[0]:
                    return None
                continue
            value = fill.part(source) if has is None else put_in(fill, source, has)
            if not value or (fill.if_it_fits and not fits(adapter, limits, fill.field, value)):
                continue
            # A part of a plain text may end with a line end.
            if fill.warning or not (value is source or is_plain_text(value)):
                return None
            filled = {**filled, fill.field: value}
        sound = made_of_sound(self._block, filled, plain=True)
        media = self._media(sound, shared, limits, uploads) if sound is not None else None
        if sound is None or media is None:
            return None
        draft: Draft[Any] = Draft(title=shared.title, block=sound, media=media, account=account)
        if limits.texts and any(length_findings(adapter, limits.texts, draft, (), ())):
            return None
        for rule in self._rules:
            if rule.holds(adapter, draft) is not True:
                return None
        return draft

    def _media(
        self, block: Block, shared: AnyShared, limits: Limits, uploads: Mapping[str, Media]
    ) -> tuple[Media, ...] | None:
        """The files, as `core.placing` places them, if there is nothing to say of them."""
        source = block if block.upload_ids or block.media_urls else shared
        if source.upload_ids or uploads:
            media, findings = placed(self._adapter, limits, block, shared, path=(), uploads=uploads)
            return media if not findings else None
        # Of public URLs nothing is known but how many they are.
        media = ()
        if source.media_urls:
            said = getattr(block, self._says) if self._says is not None else None
            for url in source.media_urls:
                media += (Media(url=url, alt_text=None if media else said or None),)
        fewest, most = limits.media.count
        return media if fewest <= len(media) <= most else None


@cache
def shortcut(adapter: AnyAdapter) -> Shortcut:
    """The shortcut to an adapter's drafts, made when it is asked for first."""
    return Shortcut(adapter)
