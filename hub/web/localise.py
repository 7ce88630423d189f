"""JupyterHub's own pages in our languages: JupyterHub's templates have no gettext (jupyterhub #1604), ours do."""

from collections.abc import Sequence
from typing import Any

from jupyterhub.handlers import BaseHandler

from hub.web.i18n import LANGUAGE_COOKIE, Translator, Translators, choose_language


class LocalisedHandler(BaseHandler):
    """Mix-in for every JupyterHub handler: templates get `_`, `language` and what the page frame needs."""

    @property
    def translator(self) -> Translator:
        """The catalogue of this request's language."""
        translators: Translators = self.settings["practicum_translators"]
        language = choose_language(
            cookie=self.get_cookie(LANGUAGE_COOKIE),
            accept_language=self.request.headers.get("Accept-Language"),
            default=self.settings["practicum_default_language"],
        )
        return translators[language]

    def translate(self, message_id: str) -> str:
        """The sentence in this request's language."""
        text: str = self.translator.gettext(message_id)
        return text

    @property
    def template_namespace(self) -> dict[str, Any]:
        translator = self.translator
        return {
            **super().template_namespace,
            "_": translator.gettext,
            "ngettext": translator.ngettext,
            "language": translator.language,
            "current_path": self.request.uri,
        }


def localised(routes: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The same routes, each handler that renders pages with `LocalisedHandler` mixed in."""
    return [(path, _localised_class(handler), *rest) for path, handler, *rest in routes]


def _localised_class(handler: type) -> type:
    if not issubclass(handler, BaseHandler) or issubclass(handler, LocalisedHandler):
        return handler
    return type(handler.__name__, (LocalisedHandler, handler), {})
