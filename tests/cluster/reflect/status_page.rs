//! The page of a reflector, beside a real API server: its sources, copies and refusals.

use serde_json::json;

use super::CANARY;
use super::estate::{Estate, GIVES, SOON};
use crate::support::html::elements;
use crate::support::process::eventually;
use crate::support::sidecar::RunningSidecar;

#[test]
fn the_page_shows_sources_copies_refusals_and_who_leads() {
    let estate = Estate::new("a b c");
    estate.put("a/gives", GIVES, "k=1");
    estate.put("c/foreign", "", "k=2");
    estate.put("a/foreign", GIVES, "k=3");
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = estate.cluster.kubeconfig();
    let reflector = RunningSidecar::start_with(folder.path(), &estate.text("{}"), |run| {
        run.env("KUBECONFIG", kubeconfig)
    });
    estate.holds("b/gives", "k=1");
    estate.holds("c/gives", "k=1");
    estate.holds("b/foreign", "k=3");
    let told = || {
        let (_, told) = reflector.ask("/status")?;
        serde_json::from_str::<serde_json::Value>(&told).ok()
    };
    eventually("all is told", SOON, || {
        told().is_some_and(|told| {
            let reflector = &told["reflector"];
            reflector["ready"] == true
                && reflector["copies"] == 3
                && reflector["refusals"]["Foreign"] == 1
        })
    });
    let told = told().expect("it answers");
    assert_eq!(told["mode"], "reflector");
    assert_eq!(told["reflector"]["leads"], true);
    assert_eq!(told["reflector"]["sourceCount"], 2);
    let source = |name: &str, copies: usize| {
        let name = format!("{}/{name}", estate.name("a"));
        json!({"kind": "secret", "name": name, "copies": copies})
    };
    let sources = json!([source("foreign", 1), source("gives", 2)]);
    assert_eq!(told["reflector"]["sources"], sources);

    let answer = reflector.raw("GET", "/");
    assert!(!answer.contains(CANARY), "a value is shown");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head");
    let elements = elements(body);
    let texts = |tag: &str| {
        let found = elements.iter().filter(|element| element.tag == tag);
        found
            .map(|element| element.text.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(texts("h1"), ["all in order"]);
    assert_eq!(texts("h2"), ["reflector"]);
    let shown = texts("article").join("\n");
    for words in [
        "reflector leads".to_owned(),
        "copies wanted 4".to_owned(),
        "copies there 3".to_owned(),
        "refused places 1".to_owned(),
        format!("secret {}/gives 2", estate.name("a")),
        format!("secret {}/foreign Foreign: an object", estate.name("c")),
    ] {
        assert!(shown.contains(&words), "{words}: {shown}");
    }
    let shown = reflector.command("status").expect(0);
    assert!(
        shown.stdout.contains("reflector: ok, 3 of 4 copies"),
        "{}",
        shown.stdout
    );
    reflector.end().expect(0).assert_no_canary(&[CANARY]);
}
