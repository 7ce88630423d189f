"""JupyterHub's own pages in our languages and our frame: its templates have no gettext (jupyterhub #1604), ours do."""

from collections.abc import Sequence
from typing import Any

from jupyterhub.handlers import BaseHandler

from hub.web.assets import hub_asset_url
from hub.web.i18n import LANGUAGE_COOKIE, Translator, Translators, choose_language
from hub.web.rendering import template_functions


class LocalisedHandler(BaseHandler):
    """Mix-in for every JupyterHub handler: templates get what our page frame needs."""

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

    @property
    def template_namespace(self) -> dict[str, Any]:
        translator = self.translator
        return {
            **super().template_namespace,
            **template_functions(translator),
            "language": translator.language,
            "asset_url": hub_asset_url,
            "current_path": self.request.uri,
            "shows_insecure_banner": self.settings["practicum_shows_insecure_banner"],
        }


def localised(routes: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The same routes, each handler that renders pages with `LocalisedHandler` mixed in."""
    return [(path, _localised_class(handler), *rest) for path, handler, *rest in routes]


def _localised_class(handler: type) -> type:
    if not issubclass(handler, BaseHandler) or issubclass(handler, LocalisedHandler):
        return handler
    return type(handler.__name__, (LocalisedHandler, handler), {})
