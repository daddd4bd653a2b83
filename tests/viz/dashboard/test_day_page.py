"""The tab of a day in a real browser: hours, repeated texts, pictures, filters, keyboard, changes of the clocks."""

import csv
from datetime import UTC, datetime, timedelta

import pytest
from viz.dashboard.browser_page import HOSTILE
from viz.dashboard.day_events import DayEvents, at

BERLIN = {"timezone_id": "Europe/Berlin"}  # UTC + 1 h on the day of the events
CLOCK = [f"REC 12:00:{second:02}" for second in range(5, 15)]


@pytest.fixture
def made():
    return DayEvents()


@pytest.fixture
def open_day(browse, serve, log, tmp_path, made):
    """Return a function that opens the tab of a day, of a store with the events made so far."""

    def open_day(date="2026-03-10", **options):
        store = tmp_path / "events.db"
        address = serve(log.path, store=store if store.exists() else made.write_store(store))
        opened = browse(address, **{**BERLIN, **options})
        opened.page.locator("#tab-day").click()
        show(opened, date)
        return opened

    return open_day


def show(opened, date):
    opened.page.locator("#day .date").fill(date)
    finish(opened)


def finish(opened):
    """Wait until the day and the hours that are open have been loaded."""
    opened.page.wait_for_timeout(350)  # the filter waits for further letters
    opened.until("!document.querySelector('#day').innerText.includes('Loading…')")


def status(opened):
    return opened.page.locator("#day .status").inner_text()


def hours(opened):
    return [" ".join(each.split()) for each in opened.page.locator("#day .hour h3").all_inner_texts()]


def texts(opened):
    return (
        opened.page.locator("#day .hour > .results > li").locator("button > .read, summary > .read").all_inner_texts()
    )


def test_day_is_grouped_by_hour_and_repeated_texts_are_folded(open_day, made):
    for minute in range(0, 40, 10):
        made.show("Mind the gap", at(8, minute))
        made.show("MIND THE GAP", at(8, minute, 3), stream="yard")
    made.tick(CLOCK, at(8, 50))
    made.show("GATE 4", at(8, 51))
    made.show("GATE 5", at(8, 52))  # no counter: it did not take the place of GATE 4
    made.show("NIGHT", at(22, 59, 59), 3.0)
    opened = open_day()
    page = opened.page
    assert hours(opened) == ["09:00 20 texts", "23:00 1 text"]
    assert status(opened) == "21 texts"
    assert "Europe/Berlin, the time zone of this browser" in page.locator("#day .zone").inner_text()
    assert texts(opened) == [
        "Mind the gap",
        "MIND THE GAP",
        f"{CLOCK[0]} … {CLOCK[-1]}",
        "GATE 4",
        "GATE 5",
        "NIGHT",
    ]
    clock = page.locator("#day .repeated").nth(2)
    assert "10 times" in clock.inner_text()
    assert "09:50:00 – 09:50:10" in clock.inner_text()
    assert clock.locator("li").count() == 0
    clock.locator("summary").click()
    opened.until("document.querySelectorAll('#day .repeated[open] li').length === 10")
    assert clock.locator("li .read").first.inner_text() == CLOCK[0]
    assert "09:50:01 – 09:50:02" in clock.locator("li").nth(1).inner_text()
    assert "23:59:59 – 00:00:02" in page.locator("#day .hour").nth(1).inner_text()
    assert page.locator("#day .bar-of-hour").count() == 24
    assert page.locator("#day .bars").get_attribute("aria-label") == "Texts per hour; most at 09:00: 20"


def test_selected_text_shows_its_picture_to_open_and_download(open_day, made):
    made.show("GATE 4", at(8), crop=True, stream="gate/<1>")
    made.show("PLAIN", at(9), None)
    opened = open_day()
    page = opened.page
    opened.until("document.querySelector('#day .results img').naturalWidth === 80")
    page.locator("#day .results button").first.click()
    opened.until("document.querySelector('#detail figure img').naturalWidth === 80")
    assert "3/10/2026 09:00:00.0 – 09:00:05.0" in page.locator("#detail").inner_text()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download picture").click()
    assert download.value.suggested_filename == "gate_1_-1.webp"
    with page.expect_popup() as popup:
        page.get_by_role("link", name="Open the picture").click()
    assert "api/crop" in popup.value.url
    popup.value.close()
    page.locator("#day .results button").nth(1).click()
    opened.until("document.querySelector('#detail p').textContent === 'PLAIN'")
    assert page.locator("#detail figure").count() == 0
    assert "10:00:00.0 – now" in page.locator("#detail").inner_text()


def test_results_of_the_search_and_events_of_the_list_show_their_picture(browse, serve, log, tmp_path, made):
    made.show("GATE 4", at(8), crop=True)
    made.show("PLAIN", at(9))
    store = made.write_store(tmp_path / "events.db")
    log.add(*made.events())
    opened = browse(serve(log.path, store=store), **BERLIN)
    page = opened.page
    opened.until("document.querySelectorAll('#list li button').length === 4")
    page.locator("#list li", has_text="GATE 4").first.locator("button").click()
    opened.until("document.querySelector('#detail figure img').naturalWidth === 80")
    page.locator("#list li", has_text="PLAIN").first.locator("button").click()
    opened.until("document.querySelector('#detail p').textContent === 'PLAIN'")
    opened.until("document.querySelectorAll('#detail figure').length === 0")
    page.locator("#tab-search").click()
    page.locator("#query").fill("gate")
    page.locator("#results button").click()
    opened.until("document.querySelector('#detail figure img').naturalWidth === 80")


def test_filter_camera_and_csv(open_day, made):
    for hour in range(6, 10):
        made.show(f"Gate {hour}", at(hour))
        made.show("=EXIT", at(hour, 30), stream="yard")
    opened = open_day()
    page = opened.page
    page.locator("#day .query").fill("GATE")
    finish(opened)
    assert status(opened) == "4 texts"
    assert texts(opened) == [f"Gate {hour}" for hour in range(6, 10)]
    assert page.locator("#day .bars").get_attribute("aria-label").endswith("most at 07:00: 1")
    page.locator("#day .query").fill("nowhere")
    finish(opened)
    assert status(opened) == "No text of this day contains that."
    page.locator("#day .query").fill("")
    page.locator("#day .camera").select_option("yard")
    finish(opened)
    assert (status(opened), texts(opened)) == ("4 texts", ["=EXIT"] * 4)
    with page.expect_download() as download:
        page.locator("#day .csv").click()
    assert download.value.suggested_filename == "texts-2026-03-09T2300Z.csv"
    with download.value.path().open(newline="") as file:
        assert [row["text"] for row in csv.DictReader(file)] == ["'=EXIT"] * 4


def test_day_without_texts_and_the_nearest_days_with_texts(open_day, made):
    made.show("BEFORE", at(22, 59) - timedelta(days=3))
    made.show("AFTER", at(23, 30))  # half past midnight of the next day in Berlin
    opened = open_day()
    page = opened.page
    assert (status(opened), hours(opened)) == ("No texts on this day.", [])
    page.get_by_role("button", name="Next day with texts").click()
    finish(opened)
    assert (page.locator("#day .date").input_value(), hours(opened)) == ("2026-03-11", ["00:00 1 text"])
    assert page.get_by_role("button", name="Next day with texts").is_disabled()
    page.get_by_role("button", name="Previous day with texts").click()
    finish(opened)
    assert (page.locator("#day .date").input_value(), hours(opened)) == ("2026-03-07", ["23:00 1 text"])


def test_days_on_which_the_clocks_change(open_day, made):
    spring, autumn = datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 10, 24, 22, tzinfo=UTC)
    for hour in (0, 1, 2, 22):
        made.show(f"SPRING {hour}", at(hour, 30, day=spring))
    for hour in (0, 2, 3, 24):
        made.show(f"AUTUMN {hour}", at(hour, 30, day=autumn))
    made.show("NEXT DAY", at(23, 0, day=spring))
    opened = open_day("2026-03-29")
    bars = opened.page.locator("#day .bar-of-hour")
    assert bars.count() == 23
    assert [each[:5] for each in hours(opened)] == ["00:00", "01:00", "03:00", "23:00"]
    assert texts(opened) == ["SPRING 0", "SPRING 1", "SPRING 2", "SPRING 22"]
    assert "03:30:00" in opened.page.locator("#day .hour").nth(2).inner_text()
    show(opened, "2026-10-25")
    assert bars.count() == 25
    assert hours(opened) == ["00:00 GMT+2 1 text", "02:00 GMT+2 1 text", "02:00 GMT+1 1 text", "23:00 GMT+1 1 text"]
    assert texts(opened) == ["AUTUMN 0", "AUTUMN 2", "AUTUMN 3", "AUTUMN 24"]


def test_many_texts_stay_closed_until_they_are_opened(open_day, made):
    for n in range(1500):
        made.show(f"PLATE {n}-X", at(5, 0, 2 * n))
    for n in range(400):
        made.show("EXIT", at(7, 0, n))
    opened = open_day()
    page = opened.page
    assert hours(opened) == ["06:00 1,500 texts", "08:00 400 texts"]
    assert texts(opened) == []
    page.locator("#day .hour summary").first.click()
    finish(opened)
    opened.until("document.querySelectorAll('#day .hour > .results > li').length === 201")
    page.get_by_role("button", name="Show more (1,300)").click()
    assert page.locator("#day .hour > .results > li").count() == 401
    assert page.evaluate("document.activeElement.textContent").startswith("PLATE 200-X")
    page.locator("#day .bar-of-hour").nth(8).click()
    finish(opened)
    opened.until("document.querySelectorAll('#day .hour')[1].open")
    opened.until("document.querySelectorAll('#day .hour')[1].querySelectorAll('.results > li').length === 1")
    assert "400 times" in page.locator("#day .hour").nth(1).inner_text()


def test_day_is_used_by_keyboard(open_day, made):
    for n in range(4):
        made.show("EXIT", at(8, n))
    made.show("GATE 4", at(9))
    opened = open_day()
    page = opened.page
    page.locator("#tab-day").focus()
    for key, tab in [("ArrowRight", "tab-events"), ("ArrowLeft", "tab-day"), ("ArrowLeft", "tab-search")]:
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.id") == tab
    page.locator("#tab-search").focus()
    page.keyboard.press("t")
    assert page.evaluate("document.activeElement.id") == "tab-day"
    assert page.locator("#day").is_visible()
    page.locator("#day .list").focus()
    page.keyboard.press("Tab")  # to the first hour
    page.keyboard.press("Tab")  # to its repeated text
    page.keyboard.press(" ")
    opened.until("document.querySelectorAll('#day .repeated[open] li').length === 4")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    opened.until("document.querySelector('#detail p')?.textContent === 'EXIT'")
    assert "09:00:00" in page.locator("#detail").inner_text()


def test_hostile_texts_are_displayed_as_text(open_day, made):
    for n, (name, text) in enumerate(HOSTILE.items()):
        for minute in (0, 10):
            made.show(text, at(8, n + minute), stream=f"<b>{name}</b>")
    opened = open_day(viewport={"width": 360, "height": 740})
    page = opened.page
    title = page.title()
    assert len(texts(opened)) == len(HOSTILE)
    for summary in page.locator("#day .repeated summary").all():
        summary.click()
    opened.until(f"document.querySelectorAll('#day .repeated li').length === {2 * len(HOSTILE)}")
    page.locator("#day .repeated li button").first.click()
    page.wait_for_selector("#detail:not([hidden])")
    page.locator("#day .query").fill("<script>")
    finish(opened)
    assert len(texts(opened)) == 1
    assert page.title() == title
    assert page.evaluate("document.querySelectorAll('script').length") == 1
    assert page.evaluate("document.querySelectorAll('[onerror], #day b').length") == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(
        "[...document.querySelectorAll('.read')].every(e => getComputedStyle(e).unicodeBidi.startsWith('isolate'))"
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_day_has_no_serious_axe_violations(open_day, made, axe, scheme):
    for hour in range(4):
        made.show("EXIT", at(8, hour), crop=True)
        made.show(f"GATE {hour}", at(8 + hour, 30), crop=True)
    opened = open_day(color_scheme=scheme, bypass_csp=True)  # axe injects a script into the page
    page = opened.page
    page.locator("#day .repeated summary").click()
    page.locator("#day .repeated li button").first.click()
    opened.until("document.querySelector('#detail figure img').naturalWidth === 80")
    assert axe(page) == []


def test_store_that_is_gone_is_reported(open_day, made, tmp_path):
    made.show("GATE 4", at(8))
    opened = open_day()
    (tmp_path / "events.db").unlink()
    opened.page.get_by_role("button", name="Reload").click()
    finish(opened)
    assert status(opened).startswith("There is no store")


def test_page_of_a_video_has_no_days(browse, serve, clip):
    opened = browse(serve(clip[1], clip[0]))
    opened.until("streamOcr.model.events.length > 5")
    assert not opened.page.locator("#tab-day").is_visible()
    opened.page.keyboard.press("t")
    assert opened.page.locator("#events").is_visible()
