"""A whole question in a class, in real browsers: on a wall, on a phone, without a network."""

from __future__ import annotations

from itertools import product

import pytest
from axe_playwright_python.sync_playwright import Axe

from benchmarks.class_load import Server
from tests.browser.conftest import PATIENCE
from tests.browser.walk import mark

pytestmark = pytest.mark.browser
LESSON = "00_hello_roofline"


@pytest.fixture
def room(tmp_path):
    """A class on the conference's path, served as a speaker would."""
    server = Server(tmp_path, "--path", "conference")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def person(browser, room):
    """Somebody with a browser of their own; every script error in it is noted."""
    opened = []

    def enter(path, width=1280, height=900, scheme="light"):
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme
        )
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.faults = []
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.goto(f"{room.url}{path}")
        opened.append(context)
        return page

    yield enter
    for context in opened:
        context.close()


def sit(page, room, name):
    """Join as a learner, and go to the lesson."""
    page.get_by_label("Code, as on the board").fill(room.code)
    page.get_by_label("A nickname").fill(name)
    page.get_by_role("button", name="Sit down").click()
    page.get_by_role("link", name="Go to the lesson").click()


def form(page):
    """The form that can be filled in now."""
    return page.locator("form.mls-ask").filter(visible=True)


def answer(page, number, sure="certain"):
    """Type a number and commit to it."""
    field = form(page).get_by_placeholder("a number")
    field.wait_for()
    field.fill(str(number))
    form(page).get_by_role("radio", name=sure).check()
    form(page).get_by_role("button", name="Commit").click()


def waits(page):
    page.locator("[data-waits='00.1']").wait_for()


def test_a_question_is_asked_discussed_asked_again_and_opened(person, room, keep):
    board = person(f"/board?key={room.key}")
    window = person(f"/speaker?key={room.key}", width=1100)
    board.get_by_text("0 of 0 have answered").wait_for()
    assert room.key not in board.url
    phone = person("/join", width=390, height=844)
    keep(phone, "room_join_390")
    sit(phone, room, "ada")
    slides = person(f"/join?code={room.code}&next=/{LESSON}/")
    sit(slides, room, "bob")
    slides.goto(f"{slides.url}?slides")

    answer(phone, 30)
    waits(phone)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    board.get_by_text("1 of 2 have answered").wait_for()
    answer_without_network(slides, 150)
    board.get_by_text("2 of 2 have answered").wait_for()
    assert board.locator("svg").count() == 0
    discuss(board, window, keep)

    answer(phone, 180, "fairly sure")
    phone.get_by_text("After talking: 180").wait_for()
    keep(phone, "room_waits_390")
    answer(slides, 200, "fairly sure")
    slides.get_by_text("After talking: 200").wait_for()
    board.get_by_text("2 of 2 have answered again").wait_for()
    for page in (phone, slides):
        assert mark(page, "00.1").count() == 0

    board.get_by_role("button", name="Reveal").click()
    for page in (phone, slides):
        mark(page, "00.1").wait_for()
    looked_at(board, keep)
    keep(window, "room_speaker")
    keep(slides, "room_slides")

    board.get_by_role("button", name="Next").click()
    board.get_by_text("0 of 2 have answered").wait_for()
    right = "weights that come from memory"
    form(phone).get_by_role("radio", name=right).check()
    form(phone).get_by_role("button", name="Commit").click()
    board.get_by_text("1 of 2 have answered").wait_for()
    board.get_by_role("button", name="Reveal").click()
    board.locator("svg").get_by_text(f"✓ {right}").wait_for()
    board.locator("#curve img").wait_for()  # the lesson's chart, beside what the room said
    board.wait_for_timeout(800)
    keep(board, "room_curve_1920_dark")
    for page in (board, window):
        found = Axe().run(page).response["violations"]
        assert [(each["id"], [n["html"][:90] for n in each["nodes"]]) for each in found] == []
    for page in (board, window, phone, slides):
        assert page.faults == []


def answer_without_network(page, number):
    """Commit while nothing reaches the room; it arrives by itself once something does."""
    form(page).wait_for()
    page.context.set_offline(True)
    page.get_by_text("No connection to the room").wait_for()
    answer(page, number)
    assert page.locator("[data-waits]").count() == 0
    page.context.set_offline(False)
    waits(page)


def discuss(board, window, keep):
    """Show the votes, have neighbours talk, ask again: only the speaker sees who is right."""
    board.get_by_role("button", name="Show votes").click()
    board.locator("svg circle").nth(1).wait_for()
    keep(board, "room_votes_1280_light")
    window.get_by_text("Right: 50 %").wait_for()
    assert board.get_by_text("Right:").count() == 0
    board.get_by_text("Worth discussing").wait_for()
    board.get_by_role("button", name="Discuss").click()
    board.get_by_text("Convince your neighbour").wait_for()
    board.get_by_role("button", name="Ask again").click()


def looked_at(board, keep):
    """What the wall shows at the end, by day and by night."""
    board.locator("svg .slope").nth(1).wait_for()
    board.get_by_text("100 % of those who answered twice came nearer").wait_for()
    for (width, height), scheme in product(((1280, 720), (1920, 1080)), ("light", "dark")):
        board.set_viewport_size({"width": width, "height": height})
        board.emulate_media(color_scheme=scheme)
        board.wait_for_timeout(800)
        keep(board, f"room_reveal_{width}_{scheme}")
        assert board.evaluate("document.documentElement.scrollWidth") <= width
