//! `${NAME}`: where it is filled in, and where it is refused.

use super::{Source, Target, line, load_files};

#[test]
fn a_variable_is_filled_in_in_each_name_and_text() {
    let text = "
name: test
vaults: {vault.test: {address: 'https://v:1', auth: {token: {file: t}}}}
keys: {age: [{vault: 'kv/sops#key', server: '${VAULT_HOST}'}]}
deliveries:
  - name: one
    from:
      - {vault: kv/a, server: '${VAULT_HOST}', prefix: '${NO:-P}_', rename: {'${NO:-a}': '${NO:-b}'}}
      - {age: x.yaml.age, flatten: '${NO:-_}'}
    to:
      - secret: {name: s, labels: {a: '${VAULT_HOST}'}, annotations: {b: '$${NO} ${NO:-c}'}}
        reflect: {namespaces: [x], labels: {d: '${VAULT_HOST}'}}
";
    let config = load_files(&[("k.yaml", text)], None).unwrap_or_else(|why| panic!("{why}"));
    let delivery = &config.deliveries[0];
    let [vault, age] = delivery.from.as_slice() else {
        panic!("two sources");
    };
    assert!(matches!(&vault.source, Source::Vault(read) if read.server == "vault.test"));
    assert_eq!(vault.prefix, "P_");
    assert_eq!(vault.rename, [("a".to_owned(), "b".to_owned())]);
    assert_eq!(
        (age.prefix.as_str(), age.flatten.as_deref()),
        ("", Some("_"))
    );
    let Target::Secret(secret) = &delivery.to[0] else {
        panic!("a Secret");
    };
    assert_eq!(secret.labels["a"], "vault.test");
    assert_eq!(secret.annotations["b"], "${NO} c");
    let copies = secret.reflect.as_ref().expect("copies");
    assert_eq!(copies.labels["d"], "vault.test");
}

#[test]
fn a_variable_that_cannot_be_filled_in_is_one_problem_at_its_place() {
    let source =
        |more: &str| format!("deliveries: [{{name: a, from: [{{vault: kv/a, {more}}}]}}]\n");
    let target = |more: &str| {
        format!(
            "name: x\ndeliveries: [{{name: a, fields: {{A: b}}, to: [{{secret: {{name: s, \
             {more}}}}}]}}]\n"
        )
    };
    let unset = "environment variable `NO` is not set; set it";
    let secret = "environment variable `DB_PASSWORD` looks like a secret";
    // `^` stands before the place.
    for (marked, what) in [
        (source("server: ^'${NO}'"), unset),
        (source("prefix: ^'${NO}'"), unset),
        (source("flatten: ^'${NO}'"), unset),
        (source("rename: {'${NO}': ^b}"), unset),
        (target("labels: {a: ^'${NO}'}"), unset),
        (target("annotations: {a: ^'${DB_PASSWORD}'}"), secret),
        (
            target("labels: {'${NO}': ^a}"),
            "the name of the label `${NO}` has a variable, and none is filled in there; write",
        ),
        (
            "deliveries: [{name: a, fields: {'${NO}': ^a}}]\n".to_owned(),
            "the field `${NO}` has a variable",
        ),
        (
            "vaults: {'${NO}': ^{address: 'https://w:1', auth: {token: {file: t}}}}\n".to_owned(),
            "the server `${NO}` has a variable",
        ),
    ] {
        let whole = format!("{}{marked}", super::SERVER);
        let (before, after) = whole.split_once('^').expect("a place");
        let row = before.lines().count();
        let column = before.lines().last().unwrap_or_default().len() + 1;
        let problems = load_files(&[("k.yaml", &format!("{before}{after}"))], None);
        let told = line(&problems.expect_err(&marked));
        let want = format!("k.yaml:{row}:{column}: {what}");
        assert!(told.starts_with(&want), "{marked}{told}");
        assert!(!told.contains("hunter2"), "{told}");
        assert_eq!(told.matches("k.yaml:").count(), 1, "{told}");
    }
}
