"""Who comes into a room, and who does not: each by a client on a real connection."""

from __future__ import annotations

import re
import stat
import time

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from mlsysim.learn.room.app import BOARD, LONGEST_NAME, SEAT
from mlsysim.learn.room.keys import Keys
from mlsysim.learn.room.limits import MOST_BYTES, Bucket
from mlsysim.learn.room.room import MOST_SEATS

LESSON = "/00_hello_roofline/"
SEND = f"{LESSON}api/kernel/set_ui_element_value"
SPEAKERS = ("/board", "/speaker", "/board/state", "/board/picture", "/export.zip")


def told(reply):
    """What a page says is wrong."""
    return re.findall(r'role="alert">([^<]*)<', reply.text)[0]


def knock(served, client, session="s_abcdef", **more):
    """Open a lesson's websocket with a browser's cookies."""
    cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    address = f"{served.url.replace('http', 'ws')}{LESSON}ws?session_id={session}"
    return connect(address, additional_headers={"Cookie": cookie}, open_timeout=60, **more)


def test_a_learner_joins_with_the_code_and_is_led_on_to_the_lesson(served):
    ada = served.client()
    first = ada.get(LESSON)
    assert first.status_code == 303
    assert first.headers["location"] == "/join?next=%2F00_hello_roofline%2F"
    code = served.keys.code.upper() + " "
    reply = ada.post("/join", data={"code": code, "name": " Ada  L. ", "next": LESSON})
    assert reply.status_code == 303
    assert reply.headers["location"] == "/seat?next=%2F00_hello_roofline%2F"
    back = ada.post("/join", data={"code": code, "name": "Ada  L.", "next": "/"})
    assert back.headers["location"] == "/seat"  # which leads on by itself
    seat = ada.get(reply.headers["location"])
    assert "Ada L., you sit in monday" in seat.text
    assert f'href="{LESSON}"' in seat.text
    assert ada.get(LESSON).status_code == 200
    cookie = reply.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "max-age=2592000" in cookie  # thirty days
    assert "samesite=lax" in cookie


@pytest.mark.parametrize(
    ("sent", "status", "fault"),
    [
        ({"code": "nope", "name": "ada"}, 403, "not the code"),
        ({"code": "", "name": "ada"}, 403, "not the code"),
        ({"name": "ada"}, 403, "not the code"),
        ({"code": None, "name": ""}, 422, "nickname"),
        ({"code": None, "name": "a" * (LONGEST_NAME + 1)}, 422, "nickname"),
        ({"code": None, "name": "a\x07b"}, 422, "nickname"),
        ({"words": "apple apple apple apple"}, 403, "four words"),
    ],
)
def test_who_cannot_come_in_is_told_why(served, sent, status, fault):
    reply = served.client().post(
        "/join", data={k: served.keys.code if v is None else v for k, v in sent.items()}
    )
    assert reply.status_code == status
    assert fault in told(reply)
    assert SEAT not in reply.cookies
    assert served.room.seats() == []


@pytest.mark.parametrize(
    "there", ["//evil.example", "https://evil.example", "/\\evil.example", "/board"]
)
def test_nobody_is_led_out_of_the_room_by_a_link(served, there):
    data = {"code": served.keys.code, "name": "ada", "next": there}
    ada = served.client()
    page = ada.get(ada.post("/join", data=data).headers["location"]).text
    assert "evil" not in page
    assert f'class="go" href="{LESSON}"' in page


def test_four_words_lead_to_the_seat_from_another_device(served):
    laptop, phone = served.learner("ada"), served.client()
    words = re.findall(r"<b>([a-z-]+)</b>", laptop.get("/seat").text)[0]
    phone.post("/join", data={"words": words.replace("-", " ").title()})
    assert "ada, you sit in monday" in phone.get("/seat").text
    assert len(served.room.seats()) == 1
    assert words != re.findall(r"<b>([a-z-]+)</b>", served.learner("bob").get("/seat").text)[0]


def forged(served, other):
    """Cookies that somebody might try: none, made up, of another room, of another role."""
    ours, seat = served.keys, served.room.sit("mallory").id
    foreign = Keys(other)
    signed = ours.sign(seat)
    return {
        "none": {},
        "made up": {SEAT: seat, BOARD: "speaker"},
        "cut": {SEAT: signed[:-1], BOARD: ours.sign("speaker", "board")[:-1]},
        "of another room": {SEAT: foreign.sign(seat), BOARD: foreign.sign("speaker", "board")},
        "of another role": {SEAT: ours.sign("speaker"), BOARD: ours.sign("speaker")},
        "of no seat": {SEAT: ours.sign("0" * 16), BOARD: ours.sign(seat, "board")},
    }


@pytest.mark.parametrize(
    "kind", ["none", "made up", "cut", "of another room", "of another role", "of no seat"]
)
def test_forged_and_foreign_cookies_open_nothing(served, tmp_path, kind):
    (tmp_path / "other").mkdir()
    client = served.client()
    client.cookies.update(forged(served, tmp_path / "other")[kind])
    for path in (LESSON, "/", f"{LESSON}api/status", "/exercise/00_hello_roofline/"):
        assert client.get(path).headers["location"].startswith("/join")
    for path in ("/room/state", "/journal.jsonl", *SPEAKERS):
        assert client.get(path).status_code == 403
    assert client.post("/board/act", json={"do": "reveal", "question": "00.1"}).status_code == 403
    with pytest.raises(InvalidStatus, match="403"), knock(served, client):
        pass
    assert served.room.standing.released == []


def test_a_learner_is_no_speaker_and_a_wrong_key_opens_nothing(served):
    ada = served.learner()
    for key in ("", "x", served.keys.code, served.keys.board[:-1]):
        assert ada.get("/board", params={"key": key}).status_code == 403
    assert ada.get("/board/state").status_code == 403
    assert ada.post("/board/act", json={"do": "reveal", "question": "00.1"}).status_code == 403
    assert served.speaker().get("/board/state").status_code == 200


def test_no_session_of_a_notebook_serves_two_learners(served):
    ada, bob = served.learner("ada"), served.learner("bob")
    with knock(served, ada) as socket:
        socket.recv(timeout=60)
        with pytest.raises(InvalidStatus, match="403"), knock(served, bob):
            pass
        sent = {"objectIds": ["x"], "values": [1]}
        stolen = bob.post(SEND, json=sent, headers={"Marimo-Session-Id": "s_abcdef"})
        assert stolen.status_code == 403


def test_nobody_reads_the_journal_of_another(served):
    ada, bob = served.learner("ada"), served.learner("bob")
    first, _ = served.room.seats()
    first.journal.parent.mkdir(parents=True)
    first.journal.write_text('{"question": "00.1", "value": 123456}\n')
    assert "123456" in ada.get("/journal.jsonl").text
    own = bob.get("/journal.jsonl")
    assert (own.status_code, own.text) == (200, "")
    assert own.headers["content-disposition"] == 'attachment; filename="journal.jsonl"'
    for path in (
        f"/learners/{first.id}/journal.jsonl",
        f"/../rooms/monday/learners/{first.id}/journal.jsonl",
        f"{LESSON}%2e%2e/%2e%2e/rooms/monday/learners/{first.id}/journal.jsonl",
        f"{LESSON}public/..%2f..%2f..%2frooms/monday/secret",
        "/room/..%2f..%2fsecret.js",
        "/room/lesson.js",
        f"{LESSON}assets/..%2f..%2f..%2f..%2fetc%2fpasswd",
    ):
        reply = bob.get(path)
        assert reply.status_code in (403, 404), path
        assert "123456" not in reply.text
        assert "root:" not in reply.text


def test_a_script_in_a_nickname_is_text_and_stands_on_no_page_of_another(served):
    name = "<script>x()</script>"
    mallory = served.learner(name)
    assert name not in mallory.get("/seat").text
    assert "&lt;script&gt;x()" in mallory.get("/seat").text
    assert "&lt;script&gt;x()" in mallory.get("/").text
    bob, speaker = served.learner("bob"), served.speaker()
    for page in (
        *(bob.get(path).text for path in ("/", "/seat", LESSON, "/room/state")),
        *(speaker.get(path).text for path in ("/board", "/speaker", "/board/state?speaker")),
    ):
        assert "x()" not in page


def test_pages_load_nothing_from_elsewhere_and_are_framed_by_nobody(served):
    ada, speaker = served.learner(), served.speaker()
    for reply in (ada.get("/join"), ada.get(LESSON), ada.get("/"), speaker.get("/board")):
        policy = reply.headers["content-security-policy"]
        assert re.match(r"default-src ('none'|'self' data: blob:);", policy)
        assert "frame-ancestors 'none'" in policy
        assert "http" not in policy
    (scripts,) = re.findall("script-src[^;]*", policy)
    assert "unsafe" not in scripts


def test_another_site_cannot_act_for_anybody(served):
    speaker = served.speaker()
    act = {"do": "reveal", "question": "00.1"}
    evil = {"origin": "https://evil.example"}
    assert speaker.post("/board/act", json=act, headers=evil).status_code == 403
    assert served.room.standing.released == []
    assert speaker.post("/board/act", json=act, headers={"origin": served.url}).status_code == 200


def test_the_121st_seat_is_refused(served):
    for n in range(MOST_SEATS):
        served.room.sit(f"learner {n}")
    reply = served.client().post("/join", data={"code": served.keys.code, "name": "late"})
    assert reply.status_code == 403
    assert f"All {MOST_SEATS} seats are taken" in told(reply)
    assert len(served.room.seats()) == MOST_SEATS


def test_codes_cannot_be_guessed_but_a_hundred_may_mistype_theirs(served):
    served.app._tries = Bucket(served.app._tries.burst, 0)  # no time passes
    client = served.client()
    wrong = {"code": "wrong", "name": "ada"}
    tried = [client.post("/join", data=wrong).status_code for _ in range(100)]
    assert tried == [403] * 100
    assert served.learner("in time")
    right = {"code": served.keys.code, "name": "ada"}
    tried = [client.post("/join", data=right if n == 59 else wrong).status_code for n in range(60)]
    assert tried[-1] == 429
    assert len(served.room.seats()) == 1


def test_a_flood_from_one_seat_stops_it_and_nobody_else(served):
    served.app._asks[SEAT] = Bucket(20, 0)
    ada, bob = served.learner("ada"), served.learner("bob")
    assert [ada.get("/room/state").status_code for _ in range(25)] == [200] * 20 + [429] * 5
    assert bob.get("/room/state").status_code == 200
    with pytest.raises(InvalidStatus, match="403"), knock(served, ada):
        pass


def test_what_is_allowed_comes_back_with_time():
    now = [0.0]
    bucket = Bucket(2, 0.5, lambda: now[0])
    assert [bucket.take("a") for _ in range(3)] == [True, True, False]
    assert bucket.take("b")
    now[0] = 2.0  # half a request a second
    assert [bucket.take("a") for _ in range(2)] == [True, False]


def test_what_is_too_long_is_not_read(served):
    ada = served.learner()
    assert ada.post(SEND, content=b"x" * (MOST_BYTES + 1)).status_code == 413
    with knock(served, ada) as socket:
        socket.send("x" * (MOST_BYTES + 1))
        with pytest.raises(ConnectionClosed, match="too big"):
            list(socket)


def test_one_seat_opens_so_many_lessons_and_no_more(served, monkeypatch):
    monkeypatch.setattr("mlsysim.learn.room.app._DOORS_OPEN", 1)
    ada = served.learner()
    with (
        knock(served, ada),
        pytest.raises(InvalidStatus, match="403"),
        knock(served, ada, "s_other"),
    ):
        pass
    for _ in range(100):  # the first one is closed now
        if not served.app._open.get(served.room.seats()[0].id):
            break
        time.sleep(0.05)
    with knock(served, ada, "s_other"):
        pass


def test_keys_survive_a_restart_and_their_file_is_the_owners_alone(tmp_path):
    first, again = Keys(tmp_path), Keys(tmp_path)
    assert (first.code, first.board, first.words("a")) == (
        again.code,
        again.board,
        again.words("a"),
    )
    assert again.read(first.sign("a")) == "a"
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert Keys(tmp_path, "tensor").opens(" Tensor")


def test_health_is_told_to_whoever_asks(served):
    served.learner()
    assert served.client().get("/healthz").json() == {"ok": True, "seats": 1}
