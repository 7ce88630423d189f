"""Which requests JupyterHub's pages and API answer; in a real browser it is tests/journeys/test_hostile_page.py."""

import pytest

from hub.errors import HubError
from hub.web.hub_guard import check_hub_request

NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "same-origin"}
FROM_A_MAIL = {**NAVIGATION, "Sec-Fetch-Site": "cross-site"}
SCRIPT = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin"}
IMAGE = {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image", "Sec-Fetch-Site": "same-origin"}
FRAME = {**NAVIGATION, "Sec-Fetch-Dest": "iframe"}
UNSAID: dict[str, str] = {}


class Headers(dict[str, str]):
    """As Tornado's: the case of a name does not matter."""

    def __init__(self, given: dict[str, str]) -> None:
        super().__init__({name.lower(): value for name, value in given.items()})

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        return super().get(name.lower(), default)


@pytest.mark.parametrize("headers", [NAVIGATION, FROM_A_MAIL])
@pytest.mark.parametrize("is_signed_in", [True, False])
def test_somebody_who_opens_a_page_gets_it(headers: dict[str, str], *, is_signed_in: bool) -> None:
    check_hub_request(Headers(headers), is_api=False, is_signed_in=is_signed_in)


@pytest.mark.parametrize("headers", [SCRIPT, IMAGE, FRAME])
@pytest.mark.parametrize("is_signed_in", [True, False])
def test_scripts_images_and_frames_get_no_page(headers: dict[str, str], *, is_signed_in: bool) -> None:
    with pytest.raises(HubError):
        check_hub_request(Headers(headers), is_api=False, is_signed_in=is_signed_in)


def test_who_does_not_say_what_it_asks_gets_pages_only_without_a_sign_in() -> None:
    check_hub_request(Headers(UNSAID), is_api=False, is_signed_in=False)
    with pytest.raises(HubError):
        check_hub_request(Headers(UNSAID), is_api=False, is_signed_in=True)


@pytest.mark.parametrize("headers", [NAVIGATION, SCRIPT, UNSAID])
def test_the_api_leaves_scripts_to_jupyterhubs_own_check(headers: dict[str, str]) -> None:
    check_hub_request(Headers(headers), is_api=True, is_signed_in=True)


@pytest.mark.parametrize("headers", [IMAGE, FRAME, {**SCRIPT, "Sec-Fetch-Mode": "no-cors"}])
def test_the_api_answers_nobody_who_poses_as_an_image_or_sits_in_a_frame(headers: dict[str, str]) -> None:
    with pytest.raises(HubError):
        check_hub_request(Headers(headers), is_api=True, is_signed_in=True)
