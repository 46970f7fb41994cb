//! Shows that the browser sees what these tests are about: a page that has everything wrong is complained about in full.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::thread;

use serde_json::json;

use crate::support::browser::{Browser, named};

const BAD: &str = "<!doctype html><html><head><title>Bad</title><style>p { color: red }</style></head><body>\
    <script>window.inline = true</script><img src='/nothing.png'><img src='http://elsewhere.invalid/x.png'>\
    <p style='color: #ddd'>pale</p><pre>one_line_that_is_wider_than_a_phone_is_and_does_not_break</pre><div onclick='x()' tabindex='0' class='dim'>dim</div>\
    <input><button id='out'>Out of order</button><script src='/script.js'></script></body></html>";
const SCRIPT: &str = "console.error('on purpose'); window.ran = true; \
    out.style.outline = 'none'; out.addEventListener('click', () => { throw new Error('thrown on purpose') });";
const POLICY: &str = "default-src 'self'; img-src *; style-src 'none'";

/// Answers every request on a connection of its own until the process ends, and gives its address.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let path = lines.next().unwrap_or_default().split(' ').nth(1).unwrap_or_default().to_owned();
            let _ = lines.take_while(|line| !line.is_empty()).count();
            let (status, kind, body) = match path.as_str() {
                "/" => (200, "text/html", BAD),
                "/script.js" => (200, "text/javascript", SCRIPT),
                "/good" => (
                    200,
                    "text/html",
                    "<!doctype html><html lang=en><title>Good</title><main><h1>Good</h1></main>",
                ),
                _ => (
                    404,
                    "text/html",
                    "<!doctype html><html lang=en><title>No</title><main><h1>No</h1></main>",
                ),
            };
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\
                 Content-Security-Policy: {POLICY}\r\n\r\n",
                body.len()
            );
            drop(stream.write_all((head + body).as_bytes()));
        }
    });
    address
}

#[test]
fn a_page_that_has_everything_wrong_is_complained_about_in_full() {
    let browser = Browser::start();
    let site = serve();
    let page = browser.visitor(&site);
    page.go("/");
    assert_eq!(page.value("[window.inline, window.ran]"), json!([null, true]));
    let before = page.complaints();
    for wanted in
        ["on purpose", "/nothing.png", "elsewhere: http://elsewhere.invalid/x.png", "script-src", "style-src"]
    {
        assert!(before.iter().any(|it| it.contains(wanted)), "{wanted} is not in {before:#?}");
    }
    page.click("#out");
    let thrown = || page.complaints().iter().any(|it| it.contains("thrown on purpose"));
    while !thrown() {
        thread::yield_now();
    }
    let found = page.axe();
    for wanted in ["html-has-lang", "image-alt", "label"] {
        assert!(
            found.iter().any(|it| it.starts_with(&format!("{wanted}:"))),
            "{wanted} is not in {found:#?}"
        );
    }
    let wide = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| page.examine("sees")));
    assert!(
        wide.unwrap_err().downcast_ref::<String>().unwrap().contains("> 360"),
        "nothing said of its width"
    );
    let unmarked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| page.is_used_by_keyboard()));
    assert!(unmarked.unwrap_err().downcast_ref::<String>().unwrap().contains("nobody sees it"));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(page))).is_err());

    // What is in order is let through; a page that is not there is in order as well.
    let page = browser.visitor(&site);
    page.go("/none");
    assert_eq!((page.status(), page.text("h1")), (404, "No".to_owned()));
    page.go("/good");
    page.examine("sees-good");
    drop(page);
    let page = browser.visitor(&site).without_script();
    page.go("/");
    assert_eq!(page.value("window.ran"), json!(null));
    page.wait_for(named("p", "pale"));
    page.forgive();
}
