//! The page at `/` of a sidecar: what it shows, what it never shows, and that a browser gets
//! nothing else from it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::html::{Element, elements};
use crate::support::process::eventually;
use crate::support::sidecar::{RunningSidecar, SOON, age, age_key};

const VALUE: &str = "c4nary-v4lue-of-the-page";

/// One delivery in order, one whose source is not there, with a name that is markup.
fn running(folder: &tempfile::TempDir, sidecar: &str) -> RunningSidecar {
    let encrypted = age(&format!("PASSWORD={VALUE}\n"));
    fs::write(folder.path().join("app.env.age"), encrypted).unwrap();
    let config = format!(
        "{sidecar}keys: {{age: [{{file: {}}}]}}\ndeliveries:\n- name: app\n  from: [{{age: \
         app.env.age}}]\n  to:\n  - {{file: {{path: out/app.env, createDirs: true}}}}\n  - \
         {{files: {{dir: parts, createDirs: true}}}}\n- name: '<script>alert(1)</script>'\n  \
         from: [{{age: '<b>&.env.age'}}]\n  to: [{{file: {{path: out/other.env}}}}]\n",
        age_key().display()
    );
    let sidecar = RunningSidecar::start(folder.path(), &config);
    eventually("both were tried", SOON, || {
        let reasons = sidecar.reasons();
        reasons.contains("app: ok") && reasons.contains("missing")
    });
    sidecar
}

/// The head, and the elements of the body.
fn page(sidecar: &RunningSidecar) -> (String, Vec<Element>) {
    let answer = sidecar.raw("GET", "/");
    assert!(!answer.contains(VALUE), "a value is shown");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.to_owned(), elements(body))
}

fn texts<'a>(elements: &'a [Element], tag: &str) -> Vec<&'a str> {
    let found = elements.iter().filter(|element| element.tag == tag);
    found.map(|element| element.text.as_str()).collect()
}

#[test]
fn row_136_the_page_shows_how_all_stands_and_obeys_no_name() {
    let folder = tempfile::tempdir().unwrap();
    let sidecar = running(&folder, "");
    let (head, elements) = page(&sidecar);
    assert_eq!(texts(&elements, "h1"), ["1 of 2 not ready"]);
    // The worst comes first.
    assert_eq!(texts(&elements, "h2"), ["<script>alert(1)</script>", "app"]);
    let articles = texts(&elements, "article");
    for words in [
        "<script>alert(1)</script> not ready",
        "not delivered yet: missing:",
        "<b>&.env.age",
        "hint: ",
        "last success never",
    ] {
        assert!(articles[0].contains(words), "{words}: {}", articles[0]);
    }
    for words in [
        "app in order",
        "age file app.env.age",
        "file out/app.env",
        "files parts",
        "last success 0s ago",
        "next look in ",
        "targets written 2",
        "failed passes 0",
    ] {
        let plain = articles[1].replace(&format!("{}/", folder.path().display()), "");
        assert!(plain.contains(words), "{words}: {plain}");
    }
    let who = texts(&elements, "header");
    let version = format!("keyferry {} · sidecar", env!("CARGO_PKG_VERSION"));
    assert!(who.iter().any(|who| who.contains(&version)), "{who:?}");

    // What a browser is told: this style alone, and nothing from elsewhere.
    let style = style(&sidecar);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, style.as_bytes());
    let policy = format!(
        "content-security-policy: default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        STANDARD.encode(digest)
    );
    for line in [
        "HTTP/1.1 200 OK",
        "content-type: text/html; charset=utf-8",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        &policy,
    ] {
        assert!(head.lines().any(|found| found == line), "{line}: {head}");
    }
    assert!(!head.contains("cookie"), "{head}");
    let refresh = elements
        .iter()
        .find(|element| element.attribute("http-equiv") == Some("refresh"));
    assert_eq!(
        refresh.and_then(|meta| meta.attribute("content")),
        Some("10")
    );

    // HEAD is the head alone, and nothing else is answered.
    let asked = sidecar.raw("HEAD", "/");
    assert!(
        asked.starts_with("HTTP/1.1 200 OK\r\n") && asked.ends_with("\r\n\r\n"),
        "{asked}"
    );
    assert!(sidecar.raw("POST", "/").starts_with("HTTP/1.1 405 "));

    // The command says the same.
    let status = sidecar.command("status").expect(0).stdout;
    let plain = status.replace(&format!("{}/", folder.path().display()), "");
    for line in [
        "app: file out/app.env, files parts from age file app.env.age",
        "<script>alert(1)</script>: file out/other.env from age file <b>&.env.age",
    ] {
        assert!(plain.lines().any(|found| found == line), "{line}: {plain}");
    }
    sidecar.end().expect(0).assert_no_canary(&[VALUE]);
}

/// The style as it stands on the page.
fn style(sidecar: &RunningSidecar) -> String {
    let answer = sidecar.raw("GET", "/");
    let (_, rest) = answer.split_once("<style>").expect("a style");
    rest.split_once("</style>").expect("its end").0.to_owned()
}

#[test]
fn the_command_gives_the_same_document_as_the_listener() {
    let folder = tempfile::tempdir().unwrap();
    let sidecar = running(&folder, "");
    let shown = sidecar.command("status --output json").expect(0);
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    let (_, told) = sidecar.ask("/status").unwrap();
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let keys = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(keys(&shown), keys(&told));
    assert_eq!(keys(&shown["deliveries"][1]), keys(&told["deliveries"][1]));
    let app = &shown["deliveries"][1];
    assert_eq!(app["name"], "app");
    assert_eq!(app["sources"][0]["kind"], "age file");
    assert_eq!(app["targets"][1]["kind"], "files");
    assert_eq!(shown["mode"], "sidecar");
}

#[test]
fn there_is_no_page_where_the_configuration_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let sidecar = running(&folder, "sidecar: {statusPage: false}\n");
    assert_eq!(sidecar.ask("/").map(|(status, _)| status), Some(404));
    assert_eq!(sidecar.ask("/status").map(|(status, _)| status), Some(200));
}

/// A browser that runs without a screen.
fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "google-chrome", "chromium-browser"];
    let mut places =
        std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name)));
    places.find(|place| place.is_file())
}

#[test]
fn a_browser_shows_it_with_its_style_and_without_complaint() {
    let Some(browser) = browser() else {
        println!("no browser on PATH: the page was only parsed");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let sidecar = running(&folder, "");
    let shot = folder.path().join("page.png");
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
        ])
        .args(["--window-size=900,700", "--virtual-time-budget=2000"])
        .arg(format!(
            "--user-data-dir={}",
            folder.path().join("profile").display()
        ))
        .arg(format!("--screenshot={}", shot.display()))
        .arg(sidecar.url())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    // A style or anything else that the policy refuses is told on the console.
    assert!(!said.contains("Content Security Policy"), "{said}");
    let shot = fs::read(&shot).unwrap();
    assert!(shot.starts_with(b"\x89PNG"), "{said}");
    if let Some(keep) = std::env::var_os("KEYFERRY_PAGE_SHOT") {
        fs::write(keep, shot).unwrap();
    }
}
