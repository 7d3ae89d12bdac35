//! The configuration by example: what is accepted, and which errors the rest gives.

mod alternatives;
mod at_once;
mod manifests;
mod name;
mod variables;
mod windows;

use std::io;
use std::path::{Path, PathBuf};

use super::environment::{Outside, Root};
use super::load::load;
use super::problem::Problems;
use super::{
    AgeKey, ComputedField, Config, Encoding, FileFormat, JwtSource, SecretKind, Source, Target,
    VaultAuth,
};
use crate::base::failure::Class;

fn env(name: &str) -> Option<String> {
    match name {
        "VAULT_HOST" => Some("vault.test".to_owned()),
        "VAULT_ADDR" => Some("https://from.env:8200".to_owned()),
        "DB_PASSWORD" => Some("hunter2".to_owned()),
        _ => None,
    }
}

fn load_files(files: &[(&str, &str)], root: Option<&Path>) -> Result<Config, Problems> {
    let read = |path: &Path| {
        let found = files.iter().find(|(name, _)| Path::new(name) == path);
        found
            .map(|(_, text)| (*text).to_owned())
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    };
    let list = |path: &Path| {
        let entries: Vec<PathBuf> = files.iter().map(|(name, _)| PathBuf::from(name)).collect();
        Ok((path == Path::new("conf")).then_some(entries))
    };
    let outside = Outside {
        env: &env,
        read: &read,
        list: &list,
        root: root.map(|path| Root {
            path,
            here: Path::new("/w"),
        }),
    };
    load(
        &[PathBuf::from(if files.len() > 1 {
            "conf"
        } else {
            files[0].0
        })],
        &outside,
    )
}

fn line(problems: &Problems) -> String {
    let failure = problems.failure();
    let hint = failure.hint.map(|hint| format!("; {hint}"));
    format!("{}{}", failure.what, hint.unwrap_or_default())
}

const SERVER: &str = "vault: {address: 'https://v:8200', auth: {token: {file: t}}}\n";

/// With a server before it, this text has this first problem.
fn refused(text: &str, expected: &str) {
    let whole = format!("{SERVER}{text}");
    let problems = load_files(&[("c/k.yaml", &whole)], None).expect_err(text);
    assert!(
        line(&problems).starts_with(expected),
        "{text}\n  expected {expected}\n  got      {}",
        line(&problems)
    );
}

#[test]
fn row_01_unknown_keys_and_wrong_types_are_named_with_their_place() {
    for (text, expected) in [
        (
            "deliverys: []\n",
            "c/k.yaml:2:1: unknown key `deliverys`; did you mean `deliveries`?",
        ),
        (
            "deliveries:\n  - name: a\n    from: [{vualt: x}]\n",
            "c/k.yaml:4:13: unknown key `vualt`; did you mean `vault`?",
        ),
        (
            "deliveries:\n  - from: []\n",
            "c/k.yaml:3:5: `name` is missing here; add `name: …`",
        ),
        ("deliveries: 7\n", "c/k.yaml:2:13: "),
        ("deliveries:\n  - {name: a, name: b}\n", "c/k.yaml:3:15: "),
        (
            "deliveries:\n  - {name: a, allowEmpty: yes}\n",
            "c/k.yaml:3:27: ",
        ),
        (
            "deliveries:\n  - {name: a, from: [{vault: kv/a}], to: [{file: \
             {path: a.env, format: dotenw}}]}\n",
            "c/k.yaml:3:72: unknown word `dotenw`; did you mean `dotenv`?",
        ),
        ("deliveries: [\n", "c/k.yaml:"),
    ] {
        refused(text, expected);
    }
}

#[test]
fn row_161_version_0_is_a_mistake_of_the_configuration() {
    refused(
        "deliveries:\n  - name: a\n    from: [{vault: kv/a, version: 0}]\n    to: [{file: \
         {path: a.env}}]\n",
        "c/k.yaml:4:35: no secret has a version 0: the first is 1; name one that is there, or \
         leave `version` out for the newest",
    );
}

#[test]
fn row_163_a_path_with_its_v1_is_read_as_it_is_written() {
    let rows = [
        ("kv/a", "kv/a", false),
        ("/kv/a", "kv/a", false),
        ("/v1/kv/a", "kv/a", true),
        ("v1/kv/metadata/a/", "kv/metadata/a", true),
        // Asked for as it is written anyway.
        ("/v1/kv/data/a", "kv/data/a", false),
    ];
    for (written, path, exact) in rows {
        let text = format!(
            "{SERVER}deliveries: [{{name: a, from: [{{vault: {written}}}], to: [{{file: \
             {{path: a.env}}}}]}}]\n"
        );
        let config = super::load::of_text(&text);
        let read = config.deliveries[0].from[0]
            .source
            .vault()
            .expect("a path in Vault");
        assert_eq!((read.path.as_str(), read.exact), (path, exact), "{written}");
    }
}

#[test]
fn what_is_meant_must_be_clear() {
    let delivery = |body: &str| format!("deliveries:\n  - name: a\n{body}");
    for (body, expected) in [
        ("", "c/k.yaml:3:5: delivery `a` has no source"),
        (
            "    from: [{}]\n",
            "c/k.yaml:4:12: a source needs exactly one of vault, sops, sealed, sealedSecret, age, \
             secret, and has none; add one of",
        ),
        (
            "    from: [{vault: kv/a, age: b.age}]\n",
            "c/k.yaml:4:12: a source needs exactly one of vault, sops, sealed, sealedSecret, age, \
             secret, and has 2; keep one of",
        ),
        (
            "    from: [{age: b.age, version: 3}]\n",
            "c/k.yaml:4:12: `server`, `version` and `write` are of use only beside `vault`",
        ),
        (
            "    from: [{vault: kv/a, server: two}]\n",
            "c/k.yaml:4:12: no vault server is called `two`",
        ),
        (
            "    from: [{vault: kv/../sys}]\n",
            "c/k.yaml:4:20: `kv/../sys` is no Vault path",
        ),
        (
            "    from: [{vault: 'kv/a?x=1'}]\n",
            "c/k.yaml:4:20: `kv/a?x=1` is no Vault path",
        ),
        (
            "    from: [{vault: '${DB_PASSWORD}'}]\n",
            "c/k.yaml:4:20: environment variable `DB_PASSWORD` looks like a secret",
        ),
        (
            "    from: [{vault: kv/a}]\n    to: [{file: {path: a}}]\n",
            "c/k.yaml:5:24: the name of this file does not tell its format",
        ),
        (
            "    from: [{vault: kv/a}]\n    to: [{file: {path: a.json, edit: true}}]\n",
            "c/k.yaml:5:17: `edit` is of use only with `format: dotenv`",
        ),
        (
            "    from: [{vault: kv/a}]\n    to: [{file: {path: a.json, mode: '0777'}}]\n",
            "c/k.yaml:5:38: `0777` is no mode for a secret",
        ),
        (
            "    from: [{vault: kv/a}]\n    to: [{secret: \
             {name: x, type: kubernetes.io/service-account-token}}]\n",
            "c/k.yaml:5:35: Secrets of type",
        ),
        (
            "    from: [{vault: kv/a}]\n    to: [{secret: {name: x, immutable: true}}]\n",
            "c/k.yaml:5:19: an immutable Secret could never follow its source",
        ),
        (
            "    from: [{vault: kv/a}]\n    to: [{file: \
             {path: a.env}, serviceAccounts: [default]}]\n",
            "c/k.yaml:5:10: `serviceAccounts` is of use only beside `secret`",
        ),
        (
            "    from: [{vault: kv/a}]\n    to: [{file: {path: a.env}, reflect: \
             {namespaces: [a]}}]\n",
            "c/k.yaml:5:41: `reflect` is of use only beside `secret`",
        ),
        (
            "    from: [{vault: kv/a}]\n    to: [{secret: {name: x}, reflect: {}}]\n",
            "c/k.yaml:5:39: `reflect` says no namespace",
        ),
        (
            "    from: [{vault: kv/a}]\n    to: [{secret: {name: x}, reflect: \
             {namespaces: ['team_*']}}]\n",
            "c/k.yaml:5:53: `team_*` is no name of a namespace",
        ),
        (
            "    from: [{vault: kv/a}]\n    to: [{secret: {name: x}, reflect: \
             {selector: 'env in ('}}]\n",
            "c/k.yaml:5:50: selector \"env in (\": its parentheses do not match",
        ),
        (
            "    from: [{vault: kv/a}]\n    to: [{secret: {name: x}, reflect: \
             {namespaces: [a], labels: {app.kubernetes.io/managed-by: me}}}]\n",
            "c/k.yaml:5:39: the label `app.kubernetes.io/managed-by` is keyferry's own mark",
        ),
        (
            "    from: [{vault: kv/a}]\n    to: [{secret: \
             {name: x, namespace: y}, reflect: {namespaces: [a], home: false}}]\n",
            "c/k.yaml:5:53: with `home: false` the Secret's own `namespace` means nothing",
        ),
    ] {
        refused(&delivery(body), expected);
    }
}

#[test]
fn mistakes_that_many_make_get_the_next_move() {
    for (text, expected) in [
        (
            "deliveries: [{name: a, from: [{vault: 'kv/x#field'}]}]\n",
            "c/k.yaml:2:39: `kv/x#field` is no Vault path; take one field with `pick`: \
             {vault: kv/x, pick: [field]}",
        ),
        (
            "deliveries: [{name: a, from: [{vault: kv/x}], to: [{secret: \
             {name: x, serviceAccounts: [default]}}]}]\n",
            "c/k.yaml:2:71: unknown key `serviceAccounts`; did you mean to write \
             `serviceAccounts` beside `secret:`, not in it?",
        ),
        (
            "deliveries: [{name: a, from: [{vault: kv/x}], to: [{path: a.env}]}]\n",
            "c/k.yaml:2:53: unknown key `path`; did you mean to write `path` in `file:`?",
        ),
        (
            "deliveries: [{name: a, from: [{vault: kv/x}], to: [{secret: \
             {name: x, labels: {app.kubernetes.io/managed-by: helm}}}]}]\nname: t\n",
            "c/k.yaml:2:61: the label `app.kubernetes.io/managed-by` is keyferry's own mark of \
             what it may change; leave it out",
        ),
        (
            "deliveries:\n\t- {name: a}\n",
            "c/k.yaml:3:1: a tab stands here; indent with spaces: YAML takes no tabs",
        ),
        (
            "deliveries:\n - name: a\n  from: []\n",
            "c/k.yaml:4:3: a `-` is expected here, or less indentation; indent the keys of one \
             mapping alike",
        ),
        (
            "deliveries:\n - name: \"a\n",
            "c/k.yaml:3:10: this quote is not closed; close it in the same line",
        ),
        (
            "deliveries: [{name: a, fields: {A: b}, allowEmpty: yes}]\n",
            "c/k.yaml:2:52: true or false is expected here; write true or false, without quotes",
        ),
        (
            "deliveries: 7\n",
            "c/k.yaml:2:13: a list (`[a, b]`) is expected here; begin each entry with `- `, or \
             put `[ ]` around them; `keyferry explain deliveries` says what can stand here",
        ),
    ] {
        refused(text, expected);
        let whole = format!("{SERVER}{text}");
        let problems = load_files(&[("c/k.yaml", &whole)], None).expect_err(text);
        assert_eq!(problems.list.len(), 1, "one mistake, one error: {problems}");
    }
}

#[test]
fn row_02_unsafe_target_paths_are_refused() {
    let long = "a".repeat(256);
    for path in ["\"a\\0b.env\"", &format!("{long}.env")] {
        let text = format!(
            "deliveries:\n  - {{name: a, from: [{{vault: kv/a}}], to: [{{file: {{path: \
             {path}}}}}]}}\n"
        );
        refused(&text, "c/k.yaml:3:");
        let whole = format!("{SERVER}{text}");
        let problems = load_files(&[("c/k.yaml", &whole)], None).expect_err("unsafe");
        assert!(
            line(&problems).contains("unsafe target path"),
            "{}",
            line(&problems)
        );
    }
    let text = format!(
        "{SERVER}deliveries:\n  - {{name: a, from: [{{vault: kv/a}}], to: [{{file: {{path: \
         ../x.env}}}}]}}\n"
    );
    assert!(
        load_files(&[("c/k.yaml", &text)], None).is_ok(),
        "without --root `..` is fine"
    );
    let problems =
        load_files(&[("c/k.yaml", &text)], Some(Path::new("c"))).expect_err("outside the root");
    assert!(
        line(&problems).contains("unsafe target path \"c/../x.env\": it leaves the root folder"),
        "{}",
        line(&problems)
    );
}

#[test]
fn row_03_two_outputs_never_share_a_place() {
    let two = |first: &str, second: &str| {
        format!(
            "{SERVER}deliveries:\n  - {{name: a, from: [{{vault: kv/a}}], to: [{first}]}}\n  - \
             {{name: b, from: [{{vault: kv/a}}], to: [{second}]}}\nname: t\n"
        )
    };
    for (first, second, collide) in [
        ("{file: {path: a.env}}", "{file: {path: a.env}}", true),
        (
            "{file: {path: a.env}}",
            "{file: {path: ./x/../a.env}}",
            true,
        ),
        (
            "{file: {path: a.env, edit: true}}",
            "{file: {path: a.env, edit: true}}",
            false,
        ),
        (
            "{file: {path: a.env, edit: true}}",
            "{file: {path: a.env}}",
            true,
        ),
        (
            "{file: {path: a, format: raw}}",
            "{file: {path: a/b.env}}",
            true,
        ),
        ("{files: {dir: d}}", "{file: {path: d/x.env}}", true),
        ("{files: {dir: d}}", "{files: {dir: d}}", true),
        ("{files: {dir: d}}", "{files: {dir: e}}", false),
        ("{files: {dir: d}}", "{files: {dir: d/e}}", true),
        ("{files: {dir: d/e/f}}", "{files: {dir: ./d}}", true),
        ("{secret: {name: s}}", "{secret: {name: s}}", true),
        (
            "{secret: {name: s, namespace: n}}",
            "{secret: {name: s, namespace: m}}",
            false,
        ),
    ] {
        let text = two(first, second);
        let loaded = load_files(&[("c/k.yaml", &text)], None);
        assert_eq!(loaded.is_err(), collide, "{first} and {second}");
        if let Err(problems) = loaded {
            assert!(
                line(&problems)
                    .contains("is the target of two outputs; the other is at c/k.yaml:3:"),
                "{}",
                line(&problems)
            );
        }
    }
}

#[test]
fn row_03_two_editors_never_share_a_variable() {
    for (second, deliver, what) in [
        ("A", "", Some("variable `A` of `c/x.env`")),
        ("B", "", None),
        ("A", ", deliver: [C]", None),
    ] {
        let text = format!(
            "deliveries:\n  - {{name: a, fields: {{A: '1'}}, to: [{{file: {{path: x.env, edit: \
             true}}}}]}}\n  - {{name: b, fields: {{{second}: '2', C: '3'}}{deliver}, to: \
             [{{file: {{path: ./x.env, edit: true}}}}]}}\n"
        );
        let loaded = load_files(&[("c/k.yaml", &text)], None);
        match (loaded, what) {
            (Ok(_), None) => {}
            (Err(problems), Some(what)) => {
                assert!(line(&problems).contains(what), "{}", line(&problems));
            }
            (loaded, what) => panic!("{second}{deliver}: {what:?}, but {}", loaded.is_ok()),
        }
    }
}

#[test]
fn row_05_clear_text_leaves_this_machine_only_when_said() {
    for (address, extra, class) in [
        ("http://vault:8200", "", Some(Class::Refused)),
        ("http://vault:8200", "allowPlaintext: true, ", None),
        ("http://127.0.0.1:8200", "", None),
        ("http://[::1]:8200/", "", None),
        ("http://localhost:8200", "", None),
        (
            "http://127.0.0.1.evil.example:8200",
            "",
            Some(Class::Refused),
        ),
        ("ftp://vault", "", Some(Class::Configuration)),
        ("https://user:pass@vault", "", Some(Class::Configuration)),
        ("https://vault/v1", "", Some(Class::Configuration)),
        ("https://${VAULT_HOST}:8200", "", None),
    ] {
        let text = format!(
            "vault: {{address: '{address}', {extra}auth: {{token: {{file: t}}}}}}\ndeliveries: \
             [{{name: a, from: [{{vault: kv/a}}]}}]\n"
        );
        let loaded = load_files(&[("k.yaml", &text)], None);
        assert_eq!(
            loaded
                .as_ref()
                .err()
                .map(|problems| problems.failure().class),
            class,
            "{address}"
        );
    }
}

#[test]
fn everything_that_can_be_said_is_understood() {
    let text = "
name: archpad
vault: {auth: {kubernetes: {role: platform}}}
vaults:
  two: {address: 'https://two:8200', namespace: team, caFile: ca.crt, auth: {jwt: {role: ci, githubActions: {audience: vault}}}}
  three: {address: 'https://three:8200', auth: {appRole: {roleIdFile: r, secretIdFile: s, wrapped: true}}}
keys:
  age: [{file: age.key}, {ssh: id}, {passphraseFile: p}, {vault: 'kv/sops#age-key'}, {secret: {name: sops-age, key: age.agekey}}]
deliveries:
  - name: all
    from:
      - {vault: /v1/kv/data/a/b, server: two, version: 7, prefix: PG_, pick: [a, b.c], rename: {a: A}, override: true}
      - {vault: pki/issue/web, write: {common_name: x.test}}
      - {age: envs/dev.env.age, optional: true}
      - {secret: {name: chat-db-cnpg-app, namespace: db}}
    fields: {Z: '{{ a }}', A1: '{{ Z }}'}
    require: [a]
    to:
      - file: {path: ../x/.env, edit: true, mode: '0640'}
      - files: {dir: parts, createDirs: true}
      - secret: {name: archpad-registry-secret, namespace: platform, type: kubernetes.io/dockerconfigjson}
        serviceAccounts: [default]
";
    let config =
        load_files(&[("c/k.yaml", text)], None).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.vaults["default"].address, "https://from.env:8200");
    assert!(
        matches!(&config.vaults["two"].auth, VaultAuth::Jwt { token: JwtSource::GithubActions { audience }, .. } if audience == "vault")
    );
    assert!(
        matches!(&config.vaults["three"].auth, VaultAuth::AppRole { wrapped: true, mount, .. } if mount == "approle")
    );
    assert_eq!(
        config.vaults["two"].ca_file.as_deref(),
        Some(Path::new("c/ca.crt"))
    );
    assert_eq!(config.keys.age.len(), 5);
    assert!(
        matches!(&config.keys.age[3].key, AgeKey::Vault { read, field } if read.path == "kv/sops" && field == "age-key")
    );
    let delivery = &config.deliveries[0];
    assert!(
        matches!(&delivery.from[0].source, Source::Vault(read) if read.path == "kv/data/a/b" && read.version == Some(7) && read.server == "two")
    );
    assert!(
        matches!(&delivery.from[1].source, Source::Vault(read) if read.write.as_deref() == Some(r#"{"common_name":"x.test"}"#))
    );
    let computed: Vec<&str> = delivery
        .fields
        .iter()
        .map(|field| field.name.as_str())
        .collect();
    assert_eq!(computed, ["Z", "A1"], "computed fields keep their order");
    assert!(
        matches!(&delivery.to[0], Target::File(file) if file.path == Path::new("c/../x/.env") && file.format == FileFormat::Dotenv { edit: true } && file.access.mode == 0o640)
    );
    assert!(
        matches!(&delivery.to[2], Target::Secret(secret) if matches!(&secret.kind, SecretKind::DockerConfigJson { .. }) && secret.service_accounts == ["default"])
    );
}

#[test]
fn several_files_make_one_configuration() {
    let one = format!("{SERVER}deliveries: [{{name: a, from: [{{vault: kv/a}}]}}]\n");
    let two = "deliveries: [{name: b, from: [{vault: kv/b}]}]\n";
    let config = load_files(
        &[
            ("conf/a.yaml", &one),
            ("conf/b.yml", two),
            ("conf/notes.txt", "no: yaml: at all"),
        ],
        None,
    );
    let names: Vec<String> = config
        .unwrap_or_else(|problems| panic!("{problems}"))
        .deliveries
        .into_iter()
        .map(|delivery| delivery.name)
        .collect();
    assert_eq!(names, ["a", "b"]);
    // The same server may be written in each file; another one of its name may not.
    let other = one.replace("https://v:8200", "https://other:8200");
    let problems =
        load_files(&[("conf/a.yaml", &one), ("conf/b.yaml", &other)], None).expect_err("twice");
    assert!(
        line(&problems).contains(
            "conf/b.yaml:1:8: vault server `default` is declared twice; \
        the first is at conf/a.yaml:1:8; make both equal, or move one to `vaults: {NAME: …}` and say `server: NAME`"
        ),
        "{}",
        line(&problems)
    );
    assert!(
        problems
            .to_string()
            .contains("delivery `a` is declared twice"),
        "{problems}"
    );
}

#[test]
fn one_server_may_be_written_in_files_of_two_folders() {
    let auths = [
        "token: {file: FOLDER/t}",
        "jwt: {role: r, tokenFile: FOLDER/t}",
        "kubernetes: {role: r, tokenFile: FOLDER/t}",
        "appRole: {roleIdFile: FOLDER/r, secretIdFile: FOLDER/s}",
    ];
    for auth in auths {
        let server = format!("{{address: 'https://v', caFile: FOLDER/ca.pem, auth: {{{auth}}}}}\n");
        let load = |key: &str, folders: [&str; 2]| {
            let [one, two] =
                folders.map(|folder| key.replace('V', &server.replace("FOLDER", folder)));
            let delivery = "deliveries: [{name: a, fields: {A: b}}]\n";
            let files = [
                ("conf/a.yaml", one.as_str()),
                ("conf/b.yaml", &two),
                ("conf/c.yaml", delivery),
            ];
            load_files(&files, None)
        };
        for folders in [["d1/..", "d2/.."], ["d", "./d"], ["..", "../d/.."]] {
            let problems = load("vault: V", folders).err();
            assert!(problems.is_none(), "{problems:?}");
        }
        for (key, hint) in [
            (
                "vault: V",
                "make both equal, or move one to `vaults: {NAME: …}`",
            ),
            (
                "vaults: {x: V}",
                "make both equal, or rename one and say its new name in `server:`",
            ),
        ] {
            let told = line(&load(key, ["d1", "d2"]).expect_err(key));
            assert!(told.contains(hint), "{told}");
        }
    }
    for section in ["sidecar: {}\n", "markKey: {}\n"] {
        let files = [("conf/a.yaml", section), ("conf/b.yaml", section)];
        let told = line(&load_files(&files, None).expect_err(section));
        assert!(
            told.contains("declared twice") && told.contains("keep one of them"),
            "{told}"
        );
    }
}

#[test]
fn alias_bombs_and_depth_are_refused_quickly() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let previous = format!("*a{}", level - 1);
        bomb.push_str(&format!(
            "a{level}: &a{level} [{}]\n",
            vec![previous; 10].join(", ")
        ));
    }
    let deep = format!("deliveries: {}", "[".repeat(100_000));
    for text in [bomb, deep] {
        assert!(load_files(&[("k.yaml", &text)], None).is_err());
    }
}

#[test]
fn row_93_what_prunes_copies_needs_a_key_that_signs_them() {
    let copies = "name: t\ndeliveries: [{name: d, from: [{vault: kv/x}], to: [{secret: \
        {name: s}, reflect: {namespaces: [a], prune: true}}]}]\n";
    let needs = "c/k.yaml:3:14: delivery `d`: `prune` beside `reflect` needs `markKey`";
    refused(copies, needs);
    let config = load_files(
        &[("c/k.yaml", &format!("{SERVER}markKey: {{}}\n{copies}"))],
        None,
    );
    let config = config.unwrap_or_else(|problems| panic!("{problems}"));
    let key = config.mark_key.expect("it is named");
    assert_eq!(key.to_string(), "keyferry-marks");
    let kept = copies.replace(", prune: true", "");
    load_files(&[("c/k.yaml", &format!("{SERVER}{kept}"))], None)
        .unwrap_or_else(|problems| panic!("{problems}"));
}

#[test]
fn row_99_the_reflector_is_careful_and_its_sources_are_named() {
    let read = |text: &str| {
        let text = format!("name: t\nreflector: {text}\n");
        let config = load_files(&[("c/k.yaml", &text)], None);
        let config = config.unwrap_or_else(|problems| panic!("{problems}"));
        config.reflector.expect("it is declared")
    };
    let usual = read("{sources: {namespaces: ['*']}}");
    assert_eq!(usual.rules.dialects.len(), 2);
    assert!(usual.rules.repair && usual.rules.pull && usual.rules.adopt);
    assert!(!usual.rules.targets.covers("kube-system") && usual.rules.targets.covers("team"));
    assert!(usual.rules.sources.covers("kube-system"));
    let strict = read("{strict: true, dialects: [emberstack], sources: {namespaces: ['*']}}");
    assert!(!strict.rules.repair && strict.rules.targets.covers("kube-system"));
    let all = read(
        "{sources: {namespaces: [a-*]}, targets: {exclude: [b]}, namespaces: [a-1, c], labels: [team], \
         annotations: ['x.io/*'], brake: {least: 10, percent: 50}, parallel: 4, silence: 60s, lease: {name: l, namespace: n}}",
    );
    assert!(!all.rules.sources.covers("b-1") && all.rules.targets.covers("kube-system"));
    assert_eq!(
        all.rules.namespaces.as_deref(),
        Some(["a-1".to_owned(), "c".to_owned()].as_slice())
    );
    assert_eq!(
        (
            all.rules.limits.least,
            all.rules.limits.percent,
            all.parallel,
            all.silence.as_secs()
        ),
        (10, 50, 4, 60)
    );
    assert_eq!(all.lease.to_string(), "n/l");
    assert_eq!(all.mark_key.to_string(), "keyferry-marks");
    let named = read("{sources: {namespaces: [\"*\"]}}\nmarkKey: {namespace: n, name: k}");
    assert_eq!(named.mark_key.to_string(), "n/k");
    for (text, expected) in [
        (
            "{dialects: []}",
            "c/k.yaml:2:12: a reflector without `dialects` does nothing",
        ),
        (
            "{brake: {percent: 101}}",
            "c/k.yaml:2:12: `percent: 101` is more than all",
        ),
        (
            "{parallel: 0}",
            "c/k.yaml:2:23: `parallel: 0` is out of bounds",
        ),
        (
            "{silence: 10m}",
            "c/k.yaml:2:22: `silence: 10m` is out of bounds",
        ),
        (
            "{sources: {namespaces: ['[a]']}}",
            "c/k.yaml:2:36: `[a]` is no name of a namespace",
        ),
        (
            "{sources: {namespaces: [a]}}\nmarkKey: {namespace: a.b}",
            "c/k.yaml:3:22: `a.b` is no name of a namespace",
        ),
    ] {
        let whole = match text.strip_suffix('}') {
            Some(front) if !text.contains("sources") => {
                format!("{front}, sources: {{namespaces: ['*']}}}}")
            }
            _ => text.to_owned(),
        };
        refused(&format!("reflector: {whole}\n"), expected);
    }
    for text in ["{}", "{sources: {exclude: [a]}}"] {
        let expected = "c/k.yaml:2:12: `reflector` does not say which namespaces may offer copies";
        refused(&format!("reflector: {text}\n"), expected);
    }
}

#[test]
fn row_177_a_name_that_kubernetes_refuses_is_a_mistake_of_the_configuration() {
    for (secret, expected) in [
        (
            "{name: a..b}",
            "c/k.yaml:4:26: the Secret's name `a..b` is no Kubernetes name",
        ),
        (
            "{name: a.-b}",
            "c/k.yaml:4:26: the Secret's name `a.-b` is no Kubernetes name",
        ),
        (
            "{name: a, namespace: b.c}",
            "c/k.yaml:4:40: `b.c` is no name of a namespace",
        ),
    ] {
        let text = format!(
            "deliveries:\n  - {{name: d, from: [{{vault: kv/a}}],\n    to: [{{secret: \
             {secret}}}]}}\n"
        );
        refused(&text, expected);
    }
}

#[test]
fn row_178_a_type_without_a_slash_is_a_short_name_or_a_mistake() {
    for (word, hint) in [
        ("dockerconfig", "did you mean `dockerconfigjson`?"),
        ("docker-registry", "did you mean `dockerconfigjson`?"),
        ("generic", "did you mean `Opaque`?"),
        ("opaque", "did you mean `Opaque`?"),
        ("TLS", "did you mean `tls`?"),
        ("basicauth", "did you mean `basic-auth`?"),
        (
            "password",
            "write one of Opaque, dockerconfigjson, tls, basic-auth, ssh-auth, or the full name \
             of another type, with its `/`",
        ),
    ] {
        let text = format!(
            "deliveries:\n  - {{name: d, from: [{{vault: kv/a}}],\n    to: [{{secret: {{name: a, \
             type: {word}}}}}]}}\n"
        );
        refused(
            &text,
            &format!("c/k.yaml:4:35: `{word}` is no type of a Secret; {hint}"),
        );
    }
}

#[test]
fn row_166_a_field_is_a_template_or_says_what_it_gives() {
    let text = format!(
        "{SERVER}deliveries:\n  - name: d\n    from: [{{vault: kv/a, encoding: base64}}]\n    \
         fields:\n      a: '{{{{ x }}}}'\n      b: {{template: '{{{{ y }}}}', encoding: \
         base64}}\n      c: 3000\n    to: [{{file: {{path: a.env}}}}]\n"
    );
    let config = load_files(&[("c/k.yaml", &text)], None).unwrap_or_else(|found| panic!("{found}"));
    let delivery = &config.deliveries[0];
    assert_eq!(delivery.from[0].encoding, Some(Encoding::Base64));
    let fields: Vec<(&str, &str, bool, u32)> = delivery
        .fields
        .iter()
        .map(|field| {
            let ComputedField {
                name,
                template,
                base64,
                at,
            } = field;
            (name.as_str(), template.as_str(), *base64, at.column)
        })
        .collect();
    let expected = [
        ("a", "{{ x }}", false, 10),
        ("b", "{{ y }}", true, 21),
        ("c", "3000", false, 10),
    ];
    assert_eq!(fields, expected);
    for (field, expected) in [
        (
            "{template: x, encoding: json}",
            "c/k.yaml:4:41: unknown word `json`; known here: base64",
        ),
        (
            "{templat: x}",
            "c/k.yaml:4:18: unknown key `templat`; did you mean `template`?",
        ),
        (
            "{encoding: base64}",
            "c/k.yaml:4:17: `template` is missing here",
        ),
    ] {
        let text = format!(
            "deliveries:\n  - name: d\n    fields: {{x: {field}}}\n    to: [{{file: \
             {{path: a.env}}}}]\n"
        );
        refused(&text, expected);
    }
}
