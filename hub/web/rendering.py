"""Pages from templates, in the language of the request."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from hub.web.assets import Assets
from hub.web.i18n import LANGUAGE_COOKIE, Failure, Translator, Translators, choose_language
from hub.web.page_session import SignedIn

TEMPLATES = Path(__file__).parent / "templates"


def template_functions(translator: Translator) -> dict[str, Callable[..., Markup]]:
    """`_` and `ngettext` for templates: translate, escape, then fill the named fields in, escaped as well."""

    def translate(message_id: str, **fields: object) -> Markup:
        text = escape(translator.gettext(message_id))
        return text % fields if fields else text

    def translate_count(singular: str, plural: str, count: int, **fields: object) -> Markup:
        return escape(translator.ngettext(singular, plural, count)) % {"count": count, **fields}

    return {"_": translate, "ngettext": translate_count, "size": _size}


def _size(mib: int) -> Markup:
    """A size for people, with a space that does not break."""
    return Markup("%.3g&nbsp;GiB") % (mib / 1024) if mib >= 1024 else Markup("%d&nbsp;MiB") % mib


class Renderer:
    """Renders `TEMPLATES/SERVICE/NAME.html`; everything filled in is escaped.

    `templates` is a folder to look into before the frame's own; `functions` makes more functions for templates, given
    the translator of a request.
    """

    def __init__(
        self,
        translators: Translators,
        default_language: str,
        *,
        shows_insecure_banner: bool,
        service: str = "practicum",
        assets: Assets | None = None,
        templates: Path | None = None,
        functions: Callable[[Translator], Mapping[str, Callable[..., object]]] | None = None,
    ) -> None:
        self.assets = assets or Assets(service)
        self._service = service
        self._functions = functions or (lambda _translator: {})
        self._translators = translators
        self._default_language = default_language
        self._shows_insecure_banner = shows_insecure_banner
        self._environment = Environment(
            loader=FileSystemLoader([*([templates] if templates else []), TEMPLATES]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals.update(asset_url=self.assets.url, service_home=f"/services/{service}/")

    def translator(self, request: Request, signed_in: SignedIn[Any] | None = None) -> Translator:
        """The translator of this request's language."""
        return self._translators[
            choose_language(
                person=signed_in.person.language if signed_in else None,
                cookie=request.cookies.get(LANGUAGE_COOKIE),
                accept_language=request.headers.get("accept-language"),
                default=self._default_language,
            )
        ]

    def translator_of(self, language: str) -> Translator:
        """The translator of a language by its tag; the centre's own language where that is none of ours."""
        return self._translators.get(language) or self._translators[self._default_language]

    def page(
        self,
        request: Request,
        name: str,
        *,
        signed_in: SignedIn[Any] | None = None,
        refusal: Failure | None = None,
        return_path: str | None = None,
        **values: Any,
    ) -> HTMLResponse:
        """The page as a response.

        `refusal` is why a form was not taken; it stands above the form. `return_path` is where a change of language
        leads, if not to this address.
        """
        translator = self.translator(request, signed_in)

        html = self._environment.get_template(f"{self._service}/{name}.html").render(
            **template_functions(translator),
            **self._functions(translator),
            language=translator.language,
            signed_in=signed_in,
            current_path=return_path or request.url.path,
            shows_insecure_banner=self._shows_insecure_banner,
            refusal=translator.sentence(refusal) if refusal else "",
            **values,
        )
        return HTMLResponse(html, status_code=refusal.status if refusal else HTTPStatus.OK)

    def fragment(self, request: Request, name: str, signed_in: SignedIn[Any], **values: Any) -> str:
        """A part of a page, for a page that is open already and listens to events."""
        translator = self.translator(request, signed_in)
        template = self._environment.get_template(f"{self._service}/{name}.html")
        return template.render(
            **template_functions(translator),
            **self._functions(translator),
            language=translator.language,
            signed_in=signed_in,
            **values,
        )

    def error_page(self, request: Request, error: Failure, signed_in: SignedIn[Any] | None = None) -> HTMLResponse:
        """The error's sentence as a page, with a way on."""
        home = f"/services/{self._service}/"
        return self.page(request, "error", signed_in=signed_in, refusal=error, return_path=home, code=error.code)
