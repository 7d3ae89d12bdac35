//! The name of the configuration: where it is needed, what it may be, and how files that name it
//! come together.

use super::{line, load_files};

const FILE: &str = "deliveries: [{name: a, fields: {A: b}, to: [{file: {path: a.env}}]}]\n";
const SECRET: &str = "deliveries: [{name: a, fields: {A: b}, to: [{secret: {name: s}}]}]\n";

/// The name that these files give, or the problem.
fn named(files: &[(&str, &str)]) -> Result<Option<String>, String> {
    match load_files(files, None) {
        Ok(config) => Ok(config.name.map(|name| name.to_string())),
        Err(problems) => Err(line(&problems)),
    }
}

#[test]
fn row_105_what_writes_in_a_cluster_needs_a_name_and_the_hint_proposes_one() {
    let reflector = "reflector: {sources: {namespaces: [a]}}\n";
    for (file, text, want) in [
        ("web/keyferry.yaml", FILE, None),
        ("web/keyferry.yaml", SECRET, Some(("1:54", "web"))),
        (
            "/etc/keyferry/Team_1.yaml",
            SECRET,
            Some(("1:54", "team-1")),
        ),
        ("keyferry.yaml", SECRET, Some(("1:54", "a"))),
        ("keyferry.yaml", reflector, Some(("1:12", "platform"))),
    ] {
        let want = want.map_or(Ok(None), |(at, name)| {
            Err(format!(
                "{file}:{at}: a configuration that writes Secrets or copies needs a `name:`, by which it knows \
                 them again; add `name: {name}` at the top of the file; no other configuration of the cluster may \
                 have the same"
            ))
        });
        assert_eq!(named(&[(file, text)]), want, "{file}");
        let with_name = format!("name: web-1\n{text}");
        let want = Ok(Some("web-1".to_owned()));
        assert_eq!(named(&[(file, &with_name)]), want, "{file}");
    }
}

#[test]
fn row_105_a_name_has_the_form_of_a_label() {
    let long = "a".repeat(64);
    for (name, want) in [
        (
            "Web App",
            "`Web App` cannot be the name of a configuration; write `name: web-app`",
        ),
        (
            "-a",
            "`-a` cannot be the name of a configuration; write `name: a`",
        ),
        (&*long, "; write `name: aaa"),
        (
            "'!'",
            "; use lower case letters, digits, `-` and `.`, at most 63",
        ),
        ("''", "the configuration's name is empty; write a name"),
        (
            "'${DB_PASSWORD}'",
            "environment variable `DB_PASSWORD` looks like a secret",
        ),
    ] {
        let told = named(&[("c/k.yaml", &format!("name: {name}\n{SECRET}"))]);
        let told = told.expect_err(name);
        assert!(
            told.starts_with("c/k.yaml:1:7: ") && told.contains(want),
            "{told}"
        );
    }
    let filled = named(&[("c/k.yaml", &format!("name: '${{VAULT_HOST}}'\n{SECRET}"))]);
    assert_eq!(filled, Ok(Some("vault.test".to_owned())));
}

#[test]
fn row_105_files_that_are_used_together_have_one_name() {
    let b = "deliveries: [{name: b, fields: {A: b}, to: [{secret: {name: t}}]}]\n";
    let web = format!("name: web\n{b}");
    let both =
        |first: &str, second: &str| named(&[("conf/a.yaml", first), ("conf/b.yaml", second)]);
    assert_eq!(both(SECRET, &web), Ok(Some("web".to_owned())));
    assert_eq!(
        both(&format!("name: web\n{SECRET}"), &web),
        Ok(Some("web".to_owned()))
    );
    let told = both(&format!("# first\nname: shop\n{SECRET}"), &web).expect_err("two names");
    assert!(
        told.starts_with(
            "conf/b.yaml:1:7: the configuration is called `web` here and `shop` at \
             conf/a.yaml:2:7; "
        ),
        "{told}"
    );
}
