"""The pages: which platforms there are to connect, a form, and how it went."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import msgspec

from core.connect import Field, Form
from server.html import Child, Html, document, element

CHECK = "M5 12.5l4.5 4.5L19 7.5"
ARROW = "M9 6l6 6-6 6"
ALERT = "M12 6v7.500M12 18v.01"
POST = "M12 3v18M12 5h6l2 2.25L18 9.500h-6M12 11.500H6l-2 2.250L6 16h6"


class Back(msgspec.Struct, frozen=True, kw_only=True):
    """The way back to where the person came from."""

    url: str
    words: str

    @classmethod
    def to(cls, url: str, words: str = "") -> "Back":
        """The button that leads to `url`."""
        return cls(url=url, words=words or f"Back to {urlsplit(url).hostname}")


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """An account that is connected already; `troubled` where it needs a new consent."""

    name: str
    troubled: bool = False


class Platform(msgspec.Struct, frozen=True, kw_only=True):
    """A platform on the page: its name, where connecting begins, and whose accounts are connected there."""

    label: str
    url: str
    accounts: tuple[Held, ...] = ()

    @property
    def troubled(self) -> bool:
        """Whether one of them needs a new consent."""
        return any(account.troubled for account in self.accounts)


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """What stands around every page."""

    style: str
    powered_by: bool = True

    def around(self, title: str, *children: Child) -> Html:
        """A whole page."""
        footer = element("footer", "Powered by Fingerpost") if self.powered_by else None
        main = element("main", element("div", _icon(POST), class_="mark"), *children, id="main")
        return document(main, footer, title=title, style=self.style)


def portal(
    frame: Frame, *, team: str, user: str, platforms: Sequence[Platform], news: str | None, back: Back | None
) -> Html:
    """The platforms to choose from."""
    rows = [_row(platform) for platform in platforms]
    who = [element("strong", user), ", choose"] if user else ["Choose"]
    return frame.around(
        "Connect your accounts",
        element("h1", "Connect your accounts"),
        element("p", *who, " where ", element("strong", team), " may publish for you. You can withdraw it at any time.",
                class_="lead"),
        _notice("good", CHECK, news) if news else None,
        element("ul", *rows, class_="platforms"),
        _back(back, quiet=news is None),
    )  # fmt: skip


def form(
    frame: Frame,
    *,
    label: str,
    declared: Form,
    state: str,
    values: Mapping[str, str],
    fault: str | None,
    back: Back | None,
) -> Html:
    """The fields by which an account is connected, drawn from the adapter's declaration."""
    fields = [_field(field, values.get(field.name, ""), faulty=fault is not None) for field in declared.fields]
    return frame.around(
        f"Connect {label}",
        element("h1", f"Connect {label}"),
        element("p", declared.help, class_="lead") if declared.help else None,
        _notice("bad", ALERT, fault, id="fault") if fault else None,
        element(
            "form",
            element("input", type="hidden", name="state", value=state),
            fields,
            element("button", "Connect", type="submit", class_="button"),
            method="post",
            novalidate=fault is not None,
        ),
        _back(back, quiet=True),
    )


def outcome(
    frame: Frame, *, title: str, words: str, good: bool, again: str | None = None, back: Back | None = None
) -> Html:
    """How it went, and where to go from here."""
    retry = element("a", "Try again", href=again, class_="button") if again else None
    return frame.around(
        title,
        element("div", _icon(CHECK if good else ALERT), class_=f"seal {'good' if good else 'bad'}"),
        element("h1", title),
        element("p", words, class_="lead", role="status" if good else "alert"),
        retry,
        _back(back, quiet=retry is not None),
        None if again or back else element("p", "You can close this page.", class_="hint"),
    )


def _row(platform: Platform) -> Html:
    told = [_account(account) for account in platform.accounts]
    verb = "Reconnect" if platform.troubled else "Add another" if told else "Connect"
    return element(
        "li",
        element("span", platform.label[:1], class_="badge", aria_hidden="true"),
        element("span", element("span", platform.label, class_="name"), told, class_="what"),
        element(
            "a",
            verb,
            element("span", f" {platform.label}", class_="unseen"),
            _icon(ARROW),
            href=platform.url,
            class_="connect quieter" if told and not platform.troubled else "connect",
            rel="nofollow",
        ),
    )


def _account(account: Held) -> Html:
    words = " needs a new consent" if account.troubled else " is connected"
    return element(
        "span",
        _icon(ALERT if account.troubled else CHECK),
        element("span", account.name, element("span", words, class_=None if account.troubled else "unseen")),
        class_="account troubled" if account.troubled else "account",
    )


def _field(field: Field, value: str, *, faulty: bool) -> Html:
    help_id = f"help-{field.name}"
    described = " ".join(filter(None, [help_id if field.help else "", "fault" if faulty else ""]))
    return element(
        "div",
        element("label", field.label, element("span", " (optional)") if field.optional else None, for_=field.name),
        element(
            "input",
            type="password" if field.secret else "text",
            id=field.name,
            name=field.name,
            value=None if field.secret else value,
            required=not field.optional,
            autocomplete="off",
            autocapitalize="none",
            spellcheck="false",
            aria_describedby=described or None,
            aria_invalid="true" if faulty else None,
        ),
        element("p", field.help, id=help_id, class_="hint") if field.help else None,
        class_="field",
    )


def _notice(kind: str, icon: str, words: str, *, id: str | None = None) -> Html:
    role = "status" if kind == "good" else "alert"
    return element("p", _icon(icon), element("span", words), class_=f"notice {kind}", role=role, id=id)


def _back(back: Back | None, *, quiet: bool) -> Html | None:
    if back is None:
        return None
    return element("a", back.words, href=back.url, class_="quiet" if quiet else "button", rel="nofollow")


def _icon(path: str) -> Html:
    """A drawing of one line; what it says stands beside it in words."""
    return element(
        "svg",
        Html(f'<path d="{path}"/>'),
        viewBox="0 0 24 24",
        width="24",
        height="24",
        fill="none",
        stroke="currentColor",
        stroke_width="2",
        stroke_linecap="round",
        stroke_linejoin="round",
        aria_hidden="true",
        focusable="false",
    )
