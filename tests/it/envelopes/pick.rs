//! What is taken out of an encrypted document: values, items of lists, subtrees, everything.

use super::{Desk, vector};

#[track_caller]
fn check(from: &str, to: &str, expected: &str) {
    for name in [
        "two.enc.yaml",
        "ssh_ed25519.enc.yaml",
        "ssh_rsa2048.enc.yaml",
        "hybrid.enc.yaml",
    ] {
        let desk = Desk::new()
            .keys(
                "age: [{file: x25519.key}, {file: hybrid.key}, {ssh: ssh_ed25519}, \
                {ssh: ssh_rsa2048}]",
            )
            .carry(
                &format!("sops: {name}, {from}"),
                &format!("path: out, {to}"),
            );
        for key in ["hybrid.key", "ssh_ed25519", "ssh_rsa2048"] {
            desk.put(key, vector(&format!("age/made/{key}")));
        }
        desk.put(name, vector(&format!("sops/{name}")));
        desk.run(&["job"]).expect(0);
        assert_eq!(desk.read("out"), expected, "{name} {from}");
    }
}

#[test]
fn dotted_paths_reach_values_items_and_keys_with_dots() {
    check(
        "pick: [db.password, db.hosts.1.name, api.token], rename: \
         {db.password: P, db.hosts.1.name: H, api.token: T}",
        "format: dotenv",
        "P=canary-value-7\nH=b.example\nT=canary-dotted-7\n",
    );
}

#[test]
fn a_subtree_is_json_or_yaml_or_one_value_of_json() {
    check(
        "pick: [db.hosts], rename: {db.hosts: hosts}",
        "format: yaml",
        "hosts:\n  -\n    name: \"a.example\"\n    weight: 1\n  -\n    name: \"b.example\"\n    \
         weight: 2\n",
    );
    check(
        "pick: [db.hosts.0], rename: {db.hosts.0: host}",
        "format: json",
        "{\n  \"host\": {\n    \"name\": \"a.example\",\n    \"weight\": 1\n  }\n}\n",
    );
    check(
        "pick: [db.hosts], encoding: json",
        "format: raw",
        "[{\"name\":\"a.example\",\"weight\":1},{\"name\":\"b.example\",\"weight\":2}]",
    );
}

#[test]
fn other_formats_give_their_fields() {
    for (name, from, expected) in [
        (
            "two.enc.env",
            "",
            "POSTGRES_PASSWORD=canary-value-7\nPORT=3000\n",
        ),
        (
            "two.enc.ini",
            ", pick: [db.password], rename: {db.password: P}",
            "P=canary-value-7\n",
        ),
        (
            "two.enc.json",
            ", pick: [db.hosts.1, db.n], rename: {db.hosts.1: H, db.n: N}",
            "H=b\nN=9007199254740993\n",
        ),
    ] {
        let desk = Desk::new().carry(&format!("sops: {name}{from}"), "path: out, format: dotenv");
        desk.put(name, vector(&format!("sops/{name}")));
        desk.run(&["job"]).expect(0);
        assert_eq!(desk.read("out"), expected, "{name}");
    }
    let desk = Desk::new().carry("sops: two.enc.bin", "path: out, format: raw");
    desk.put("two.enc.bin", vector("sops/two.enc.bin"));
    desk.run(&["job"]).expect(0);
    assert_eq!(desk.read("out"), "\u{1}\u{2}canary-value-7\n");
}
