"""Pages and reports in a real browser: hostile texts, scripts, accessibility."""

import pytest
from viz.dashboard.browser_page import HOSTILE, many_events

from stream_ocr.viz.report.page import Report


@pytest.mark.parametrize("video", [True, False])
def test_hostile_text_is_displayed_as_text(browse, serve, log, clip, video):
    log.add(
        *(
            log.text(
                "appeared",
                text,
                n / 2,
                track=n,
                stream=name if not video else "clip.mp4",
                box=(100, 20 + 40 * n, 300, 30),
            )
            for n, (name, text) in enumerate(HOSTILE.items())
        ),
        log.text(
            "appeared", "named", 1.0, stream="<img src=x onerror=alert(1)>" if not video else "clip.mp4", track=99
        ),
    )
    opened = browse(serve(log.path, clip[0] if video else None))
    page = opened.page
    opened.until(f"document.querySelectorAll('#list li button').length === {len(HOSTILE) + 1}")
    title = page.title()
    for index in range(len(HOSTILE)):
        page.evaluate("index => document.querySelectorAll('#list li button')[index].click()", index)
        page.wait_for_selector("#detail:not([hidden])")
    page.locator("#tab-search").click()
    page.locator("#query").fill("w")
    page.wait_for_selector("#results li")
    assert page.title() == title
    assert page.evaluate("document.querySelectorAll('script').length") == 1
    assert page.evaluate("document.querySelectorAll('[onerror]').length") == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(
        "[...document.querySelectorAll('.read')].every(e => getComputedStyle(e).unicodeBidi.startsWith('isolate'))"
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["video", "cameras", "report"])
def test_pages_have_no_serious_axe_violations(browse, serve, axe, log, clip, tmp_path, kind, scheme):
    if kind == "report":
        log.add(*many_events(log))
        Report.of(list(many_events(log))[:40]).write(tmp_path / "report.html")
        opened = browse((tmp_path / "report.html").as_uri(), color_scheme=scheme, bypass_csp=True)
        page = opened.page
    else:
        log.add(*list(many_events(log))[:200])
        address = serve(clip[1], clip[0]) if kind == "video" else serve(log.path)
        opened = browse(address, color_scheme=scheme, bypass_csp=True)  # axe injects a script into the page
        page = opened.page
        opened.until("streamOcr.model.events.length > 5")
        page.locator("#list button").first.click()
        page.wait_for_selector("#detail:not([hidden])")
        if kind == "video":
            page.locator("#tab-search").click()
            page.locator("#query").fill("o")
            page.wait_for_selector("#results li")
    assert axe(page) == []


def test_report_runs_only_its_own_script(browse, log, tmp_path):
    events = [log.text("appeared", text, n, track=n, stream=text[:50]) for n, text in enumerate(HOSTILE.values())]
    Report.of(events).write(tmp_path / "report.html")
    opened = browse((tmp_path / "report.html").as_uri())
    page = opened.page
    assert opened.requests == [(tmp_path / "report.html").as_uri()]
    assert "owned" not in page.title()
    page.get_by_role("searchbox").fill("invoice")
    opened.until("[...document.querySelectorAll('tbody tr')].filter(row => !row.hidden).length === 1")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # The policy blocks network access and injected scripts.
    assert page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')") == "refused"
