//! What people type wrongly: each answer names the place and the next move. The whole
//! conversation is written to `target/tmp/wrong-inputs.txt`, for a person to read.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;

use crate::support::run::{Run, keyferry};
use crate::support::stub::{Reply, Request, Stub};

/// One wrong input, and what its answer must say.
struct Row {
    /// What somebody did.
    did: &'static str,
    args: &'static str,
    /// `keyferry.yaml`; nothing is written where it is empty. `{url}` is a server like Vault.
    config: &'static str,
    /// The exit code; -1 is a warning, with 0.
    code: i32,
    /// Where it is.
    place: &'static str,
    /// What to do.
    next: &'static str,
}

const fn row(
    did: &'static str,
    args: &'static str,
    config: &'static str,
    code: i32,
    place: &'static str,
    next: &'static str,
) -> Row {
    Row {
        did,
        args,
        config,
        code,
        place,
        next,
    }
}

const SERVED: &str = "vault: {address: '{url}', auth: {token: {file: token}}}\n";

#[rustfmt::skip]
const ROWS: &[Row] = &[
    // The text of the configuration.
    row("a key with a typo", "check", "deliverys: []\n", 2, "keyferry.yaml:1:1", "did you mean `deliveries`?"),
    row("a key in the wrong place", "check", "deliveries:\n  - name: a\n    fields: {A: b}\n    to:\n      - secret: {name: s, serviceAccounts: [default]}\n", 2, "keyferry.yaml:5:27", "beside `secret:`"),
    row("a tab", "check", "deliveries:\n  - name: a\n\tfields: {A: b}\n", 2, "keyferry.yaml:3:1", "spaces"),
    row("a quote that is not closed", "check", "deliveries:\n  - name: 'a\n    fields: {A: b}\n", 2, "keyferry.yaml:2:11", "close it"),
    row("a key twice", "check", "deliveries:\n  - name: a\n    name: b\n    fields: {A: b}\n", 2, "keyferry.yaml:3:5", "the first is in line 2"),
    row("two documents", "check", "name: a\n---\nname: b\n", 2, "keyferry.yaml:2:1", "a file of its own"),
    row("a mapping for a list", "check", "deliveries: {name: a, fields: {A: b}}\n", 2, "keyferry.yaml:1:13", "keyferry explain deliveries"),
    row("true in quotes", "check", "deliveries: [{name: a, fields: {A: b}, allowEmpty: 'yes'}]\n", 2, "keyferry.yaml:1:52", "without quotes"),
    row("an empty file", "check", "# nothing yet\n", 2, "keyferry.yaml", "keyferry new"),
    row("a ConfigMap", "check", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  keyferry.yaml: |\n    deliveries: []\n", 2, "keyferry.yaml:1:1", "under `data:`"),
    row("a SealedSecret", "check", "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: a}\n", 2, "keyferry.yaml:1:1", "keyferry new manifests"),
    row("a Deployment", "check", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n", 2, "keyferry.yaml:1:1", "keyferry new"),
    row("no configuration", "check", "", 2, "keyferry.yaml", "keyferry new"),
    row("a folder without one", "check --config empty", "", 2, "empty", "into it"),
    row("an owner by name", "check", "deliveries: [{name: a, fields: {A: b}, to: [{file: {path: a.env, owner: app}}]}]\n", 2, "keyferry.yaml:1:66", "did you mean `uid`?"),
    row("one source, and no list", "check", "vault: {address: 'https://v', auth: {token: {file: token}}}\ndeliveries: [{name: a, from: {vault: kv/a}, to: [{file: {path: a.env}}]}]\n", 2, "keyferry.yaml:2:30", "put `[ ]` around them"),
    row("a path in the place of a source", "check", "vault: {address: 'https://v', auth: {token: {file: token}}}\ndeliveries: [{name: a, from: [kv/app], to: [{file: {path: a.env}}]}]\n", 2, "keyferry.yaml:2:31", "`{vault: …}`"),
    row("a path in the place of a target", "check", "deliveries: [{name: a, fields: {A: b}, to: [a.env]}]\n", 2, "keyferry.yaml:1:45", "`{file: …}`"),
    row("an address in the place of a server", "check", "vault: https://v\ndeliveries: [{name: a, fields: {A: b}, }]\n", 2, "keyferry.yaml:1:8", "`{address: …}`"),
    row("a file in the place of a key", "check", "keys: {age: [age.key]}\ndeliveries: [{name: a, fields: {A: b}, }]\n", 2, "keyferry.yaml:1:14", "`{file: …}`"),
    row("a signal without a process", "check", "deliveries: [{name: a, fields: {A: b}, onChange: [{signal: HUP}]}]\n", 2, "keyferry.yaml:1:60", "`{process: …}`"),
    row("yes for true", "check", "deliveries: [{name: a, fields: {A: b}, to: [{file: {path: a.env, edit: yes}}]}]\n", 2, "keyferry.yaml:1:72", "write true or false"),
    row("a template without quotes", "check", "deliveries:\n  - name: a\n    fields:\n      A: b\n      B: {{ A }}\n", 2, "keyferry.yaml:5:11", "put quotes around"),
    row("a pattern without quotes", "check", "name: a\nmanifests:\n  - sops: *.yaml\n", 2, "keyferry.yaml:3:11", "put quotes around"),
    row("a bracket that is not closed", "check", "deliveries:\n  - name: a\n    fields: {A: b\n    to: []\n", 2, "keyferry.yaml:4:7", "close each `{`"),
    row("a key too far to the left", "check", "deliveries:\n  - name: a\n   fields: {A: b}\n", 2, "keyferry.yaml:3:4", "indent the keys"),
    // What it means.
    row("a delivery twice", "check", "deliveries:\n  - {name: a, fields: {A: b}}\n  - {name: a, fields: {A: b}}\n", 2, "keyferry.yaml:3:5", "rename one"),
    row("a variable that is not set", "check", "deliveries: [{name: a, fields: {A: b}, to: [{file: {path: '${WHERE}/a.env'}}]}]\n", 2, "keyferry.yaml:1:59", "set it"),
    row("a secret from the environment", "check", "deliveries: [{name: '${DB_PASSWORD}', fields: {A: b}}]\n", 2, "keyferry.yaml:1:21", "file"),
    row("a server by a variable that is not set", "check", "vault: {address: 'https://v', auth: {token: {file: token}}}\ndeliveries: [{name: a, from: [{vault: kv/a, server: '${WHERE}'}]}]\n", 2, "keyferry.yaml:2:53", "set it"),
    row("a variable in the name of a label", "check", "name: a\ndeliveries: [{name: a, fields: {A: b}, to: [{secret: {name: s, labels: {'${WHERE}': b}}}]}]\n", 2, "keyferry.yaml:2:", "write the name itself"),
    row("a file of unknown format", "check", "deliveries: [{name: a, fields: {A: b}, to: [{file: {path: a.cfg}}]}]\n", 2, "keyferry.yaml:1:59", "format"),
    row("a format that is none", "check", "deliveries: [{name: a, fields: {A: b}, to: [{file: {path: a, format: envfile}}]}]\n", 2, "keyferry.yaml:1:70", "dotenv"),
    row("a mode without quotes", "check", "deliveries: [{name: a, fields: {A: b}, to: [{file: {path: a.env, mode: 999}}]}]\n", 2, "keyferry.yaml:1:72", "0440"),
    row("a target outside of --root", "check --root out", "deliveries: [{name: a, fields: {A: b}, to: [{file: {path: ../a.env}}]}]\n", 2, "keyferry.yaml:1:59", "--root"),
    row("one file twice", "check", "deliveries:\n  - {name: a, fields: {A: b}, to: [{file: {path: a.env}}, {file: {path: a.env}}]}\n", 2, "keyferry.yaml:2:", "another"),
    row("a Secret without a name of the configuration", "check", "deliveries: [{name: a, fields: {A: b}, to: [{secret: {name: s}}]}]\n", 2, "keyferry.yaml:1:", "add `name: "),
    row("a name that Kubernetes refuses", "check", "name: a\ndeliveries: [{name: a, fields: {A: b}, to: [{secret: {name: A_b}}]}]\n", 2, "keyferry.yaml:2:61", "lower"),
    row("a short type that is none", "check", "name: a\ndeliveries: [{name: a, fields: {A: b}, to: [{secret: {name: s, type: dockerconfig}}]}]\n", 2, "keyferry.yaml:2:70", "dockerconfigjson"),
    row("two ways to log in", "check", "vault: {address: 'https://v', auth: {token: {file: a}, appRole: {roleIdFile: a, secretIdFile: b}}}\n", 2, "keyferry.yaml:1:", "kubernetes, jwt, appRole, token"),
    row("no way to log in", "check", "vault: {address: 'https://v', auth: {}}\n", 2, "keyferry.yaml:1:37", "add one of"),
    row("a token in the configuration", "check", "vault: {address: 'https://v', auth: {token: hvs.CAESIJlSnE0canary}}\n", 2, "keyferry.yaml:1:", "by file"),
    row("http to another machine", "check", "vault: {address: 'http://vault.example', auth: {token: {file: token}}}\ndeliveries: [{name: a, from: [{vault: kv/a}]}]\n", 6, "keyferry.yaml:1:18", "https://"),
    row("an address with a path", "check", "vault: {address: 'https://v/v1/kv', auth: {token: {file: token}}}\n", 2, "keyferry.yaml:1:18", "https://host:8200"),
    row("a CA that is not there", "check", "vault: {address: 'https://v', caFile: ca.crt, auth: {token: {file: token}}}\ndeliveries: [{name: a, from: [{vault: kv/a}], to: [{file: {path: a.env}}]}]\n", 2, "keyferry.yaml:1:39", "PEM"),
    row("Vault, and no server", "check", "deliveries: [{name: a, from: [{vault: kv/a}]}]\n", 2, "keyferry.yaml:1:", "add `vault:"),
    row("a server that is not declared", "check", "vaults: {main: {address: 'https://v', auth: {token: {file: token}}}}\ndeliveries: [{name: a, from: [{vault: kv/a, server: mian}]}]\n", 2, "keyferry.yaml:2:", "did you mean `main`?"),
    row("version 0", "check", "vault: {address: 'https://v', auth: {token: {file: token}}}\ndeliveries: [{name: a, from: [{vault: kv/a, version: 0}]}]\n", 2, "keyferry.yaml:2:54", "leave `version` out"),
    row("a version that is no number", "check", "vault: {address: 'https://v', auth: {token: {file: token}}}\ndeliveries: [{name: a, from: [{vault: kv/a, version: '${NUMBER}'}]}]\n", 2, "keyferry.yaml:2:54", "leave `version` out"),
    row("an age without a unit that exists", "check", "deliveries: [{name: a, fields: {A: b}, maxAge: 5w}]\n", 2, "keyferry.yaml:1:48", "7d"),
    row("two sources in one", "check", "deliveries: [{name: a, from: [{age: a.age, sops: b.yaml}]}]\n", 2, "keyferry.yaml:1:31", "vault, sops"),
    row("prune without a name", "check", "name: a\nmanifests: [{sops: '*.yaml', prune: true}]\n", 2, "keyferry.yaml:2:13", "add `name: "),
    row("a pattern that finds nothing", "check", "name: a\nmanifests: [{sops: 's/*.enc.yaml'}]\n", 2, "keyferry.yaml:2:20", "name files"),
    row("a reflector without sources", "check", "name: a\nreflector: {}\n", 2, "keyferry.yaml:2:12", "namespaces"),
    row("a filter that does not exist", "check", "deliveries: [{name: a, fields: {A: b, C: '{{ A | b64 }}'}}]\n", 2, "keyferry.yaml:1:", "base64, base64decode"),
    row("a name that no source has", "check", "deliveries: [{name: a, fields: {A: '{{ NOPE }}'}}]\n", 4, "keyferry.yaml:1:", "declare it above"),
    row("a template that is not closed", "check", "deliveries: [{name: a, fields: {A: '{{ B'}}]\n", 2, "keyferry.yaml:1:", "write `{{ NAME }}`"),
    row("a password in `fields`", "check", "deliveries: [{name: a, fields: {DB_PASSWORD: hunter2canary}}]\n", -1, "keyferry.yaml:1:", "put it into Vault"),
    row("the values of AppRole themselves", "check", "vault: {address: 'https://v', auth: {appRole: {roleId: a, secretIdFile: b}}}\n", 2, "keyferry.yaml:1:48", "did you mean `roleIdFile`?"),
    row("a collector without a scheme", "check", "sidecar: {otlp: 'collector:4317'}\ndeliveries: [{name: a, fields: {A: b}, }]\n", 2, "keyferry.yaml:1:17", "grpc://host:4317"),
    row("a deletion where nobody knows", "check", "deliveries: [{name: a, fields: {A: b}, onDenied: delete}]\n", 2, "keyferry.yaml:1:50", "write keep or unready"),
    row("a day that is none", "check", "sidecar: {windows: [{days: [monday]}]}\ndeliveries: [{name: a, fields: {A: b}, }]\n", 2, "keyferry.yaml:1:29", "mon, tue"),
    row("a zone that is none", "check", "sidecar: {windows: [{days: [mon], zone: CET+1}]}\ndeliveries: [{name: a, fields: {A: b}, }]\n", 2, "keyferry.yaml:1:41", "Europe/Berlin"),
    row("a field behind `#`", "check", "vault: {address: 'https://v', auth: {token: {file: token}}}\ndeliveries: [{name: a, from: [{vault: 'kv/app#password'}], to: [{file: {path: a.env}}]}]\n", 2, "keyferry.yaml:2:39", "pick: [password]"),
    row("a name of the configuration with capitals", "check", "name: Arch Pad\ndeliveries: [{name: a, fields: {A: b}, }]\n", 2, "keyferry.yaml:1:7", "write `name: arch-pad`"),
    row("registries in a Secret of fields", "check", "name: a\ndeliveries: [{name: a, fields: {A: b}, to: [{secret: {name: s, registries: [{server: a, username: u, password: p}]}}]}]\n", 2, "keyferry.yaml:2:77", "add `type: dockerconfigjson`"),
    // The command line.
    row("a command with a typo", "plann", "", 2, "plann", "'plan'"),
    row("a flag that does not exist", "job --dryrun", "", 2, "--dryrun", "--dry-run"),
    row("a deadline in weeks", "job --deadline 1w", "", 2, "7d", "--help"),
    row("a level that is none", "check --log loud", "", 2, "loud", "--help"),
    row("a way back to version 0", "job --to 0", "", 2, "the first is 1", "--help"),
    row("a secret as an argument", "job --token=hvs.CAESIJlSnE0qfTr0mZ8aVQcanary", "", 2, "argument", "file"),
    row("a place that does not exist", "explain deliveries.to.fil", "", 2, "deliveries.to", "did you mean `file`?"),
    row("a key of a computed field that does not exist", "explain deliveries.fields.A.encodin", "", 2, "deliveries.fields.A", "did you mean `encoding`?"),
    row("a start that is not named", "new", "", 2, "configuration", "sops-env"),
    row("a program that is not there", "exec -- no-such-program", "deliveries: [{name: a, fields: {A: b}}]\n", 2, "no-such-program", "PATH"),
    row("a delivery that is not there", "exec --delivery b -- true", "deliveries: [{name: a, fields: {A: b}}]\n", 2, "`b`", "there are: a"),
    row("a configuration without its flag", "check keyferry.yaml", "", 2, "keyferry.yaml", "--config keyferry.yaml"),
    row("a flag of other programs", "job -f keyferry.yaml", "", 2, "-f", "--config FILE"),
    row("a command of other programs", "run", "", 2, "run", "`keyferry job`"),
    row("rights of nothing", "grants", "", 2, "grants", "`keyferry grants vault`"),
    row("a program without `--`", "exec true", "deliveries: [{name: a, fields: {A: b}, }]\n", 2, "true", "`keyferry exec -- CMD`"),
    row("a trace of a name", "trace my-secret", "", 2, "secret", "trace secret NAMESPACE/NAME"),
    // Files.
    row("a source that is not there", "job", "keys: {age: [{file: age.key}]}\ndeliveries: [{name: a, from: [{sops: none.yaml, pick: [a]}], to: [{file: {path: a.env}}]}]\n", 4, "keyferry.yaml:2:31", "check the path"),
    row("a key that is not there", "job", "keys: {age: [{file: none.key}]}\ndeliveries: [{name: a, from: [{sops: two.enc.env}], to: [{file: {path: a.env}}]}]\n", 4, "keyferry.yaml:1:14", "check the path"),
    row("somebody else's key", "job", "keys: {age: [{file: age.key}]}\ndeliveries: [{name: a, from: [{sops: other.enc.yaml, pick: [a]}], to: [{file: {path: a.env}}]}]\n", 5, "keyferry.yaml:2:31", "keys.age"),
    row("a file that was edited by hand", "job", "keys: {age: [{file: age.key}]}\ndeliveries: [{name: a, from: [{sops: edited.enc.env}], to: [{file: {path: a.env}}]}]\n", 5, "keyferry.yaml:2:31", "git checkout"),
    row("a SealedSecret that was renamed", "job", "keys: {sealed: [{file: sealing.pem}]}\ndeliveries: [{name: a, from: [{sealed: renamed.yaml}], to: [{file: {path: a.env}}]}]\n", 5, "keyferry.yaml:2:31", "kubeseal --raw"),
    row("a folder that is not there", "job", "deliveries: [{name: a, fields: {A: b}, to: [{file: {path: none/a.env}}]}]\n", 8, "keyferry.yaml:1:52", "createDirs"),
    row("a folder in the target's place", "job", "deliveries: [{name: a, fields: {A: b}, to: [{file: {path: empty, format: json}}]}]\n", 6, "keyferry.yaml:1:52", "another"),
    row("a field that is missing", "job", "deliveries: [{name: a, fields: {A: b}, require: [B], to: [{file: {path: a.env}}]}]\n", 4, "keyferry.yaml:1:50", "add a source"),
    row("an empty value", "job", "deliveries: [{name: a, fields: {A: ''}, to: [{file: {path: a.env}}]}]\n", 6, "keyferry.yaml:1:36", "allowEmpty"),
    row("one field of two sources", "job", "keys: {age: [{file: age.key}]}\ndeliveries: [{name: a, from: [{sops: two.enc.env}, {sops: two.enc.env}], to: [{file: {path: a.env}}]}]\n", 2, "keyferry.yaml:2:52", "override: true"),
    row("another kind of file", "job", "keys: {age: [{file: age.key}]}\ndeliveries: [{name: a, from: [{age: two.enc.env}], to: [{file: {path: a.env}}]}]\n", 5, "keyferry.yaml:2:31", "`sops:`"),
    row("two fields in a raw file", "job", "deliveries: [{name: a, fields: {A: b, C: d}, to: [{file: {path: a, format: raw}}]}]\n", 2, "keyferry.yaml:1:58", "name it with `field:`"),
    row("a job without a target", "job", "deliveries: [{name: a, fields: {A: b}}]\n", -1, "keyferry.yaml:1:14", "keyferry exec -- CMD"),
    row("a sidecar without a target", "sidecar", "deliveries: [{name: a, fields: {A: b}}]\n", 2, "nothing to keep", "add `to:`"),
    // Vault; each message of it names the address.
    row("an address where nothing listens", "job --deadline 1s", "vault: {address: 'http://127.0.0.1:1', auth: {token: {file: token}}}\ndeliveries: [{name: a, from: [{vault: kv/a}], to: [{file: {path: a.env}}]}]\n", 7, "keyferry.yaml:1:18", "check that a server listens"),
    row("a sealed server", "job --deadline 1s", "SERVED deliveries: [{name: a, from: [{vault: sealed/a}], to: [{file: {path: a.env}}]}]\n", 7, "keyferry.yaml:1:18", "unseal it"),
    row("a server that is no Vault", "job --deadline 1s", "SERVED deliveries: [{name: a, from: [{vault: html/a}], to: [{file: {path: a.env}}]}]\n", 7, "keyferry.yaml:1:18", "something else answers"),
    row("a path with nothing there", "job --deadline 1s", "SERVED deliveries: [{name: a, from: [{vault: none/a}], to: [{file: {path: a.env}}]}]\n", 4, "keyferry.yaml:1:18", "KV v1"),
    row("a mount that does not exist", "job --deadline 1s", "SERVED deliveries: [{name: a, from: [{vault: mount/a}], to: [{file: {path: a.env}}]}]\n", 4, "keyferry.yaml:1:18", "vault secrets list"),
    row("a secret id that was used up", "job --deadline 2s", "vault: {address: '{url}', auth: {appRole: {roleIdFile: token, secretIdFile: token}}}\ndeliveries: [{name: a, from: [{vault: kv/a}], to: [{file: {path: a.env}}]}]\n", 3, "keyferry.yaml:1:", "secret-id"),
    row("a role that does not exist", "job --deadline 2s", "vault: {address: '{url}', auth: {kubernetes: {role: nope, tokenFile: jwt}}}\ndeliveries: [{name: a, from: [{vault: kv/a}], to: [{file: {path: a.env}}]}]\n", 3, "keyferry.yaml:1:", "vault read auth"),
    row("a token that is not there", "job --deadline 1s", "vault: {address: '{url}', auth: {token: {file: none}}}\ndeliveries: [{name: a, from: [{vault: kv/a}], to: [{file: {path: a.env}}]}]\n", 3, "keyferry.yaml:1:", "check the volume"),
    // The cluster.
    row("no cluster", "job --deadline 1s", "name: a\ndeliveries: [{name: a, fields: {A: b}, to: [{secret: {name: s, namespace: n}}]}]\n", 2, "keyferry.yaml:2:54", "KUBECONFIG"),
];

#[test]
fn each_wrong_input_is_answered_with_its_place_and_the_next_move() {
    let stub = Stub::start(answer);
    let mut shown = String::new();
    let mut wrong = String::new();
    for (number, row) in ROWS.iter().enumerate() {
        let number = number + 1;
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let config = row.config.replace("SERVED ", SERVED);
        let config = config.replace("{url}", &stub.url());
        if !config.is_empty() {
            fs::write(folder.path().join("keyferry.yaml"), &config).unwrap();
        }
        let call = keyferry().dir(folder.path()).args(row.args.split(' '));
        let output = call.env("NUMBER", "newest").run();
        let _ = writeln!(
            shown,
            "## {number}. {}\n\n{config}\n$ keyferry {}    # exit code {}\n{}\n",
            row.did, row.args, output.code, output.folded
        );
        let hints = output
            .stderr
            .lines()
            .filter(|line| line.starts_with("hint: "));
        let hints: String = hints.collect();
        let next = match row.code {
            -1 => output.stderr.clone(),
            _ => hints,
        };
        // What has no blank in it cannot be folded.
        let wide = output.folded.lines().any(|line| {
            line.chars().count() > 100
                && line.contains(' ')
                && ![" WARN ", " INFO "]
                    .iter()
                    .any(|level| line.contains(level))
        });
        let good = [
            output.code == row.code.max(0),
            output.stderr.contains(row.place),
            next.contains(row.next),
            // One mistake has one answer, and nothing that only follows from it.
            output.stderr.matches("error: ").count() == usize::from(row.code != -1),
            !output.stderr.contains("canary"),
            !wide,
        ];
        if good.contains(&false) {
            let _ = writeln!(
                wrong,
                "{number}. {}: wanted {}, `{}`, `{}` {good:?}\n{}{}\n",
                row.did, row.code, row.place, row.next, output.code, output.folded
            );
        }
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::write(folder.join("wrong-inputs.txt"), shown).unwrap();
    assert!(ROWS.len() >= 60);
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn a_file_called_yml_is_found_and_equal_servers_are_one() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| keyferry().dir(folder.path()).args(args).run();
    let server = "vault: {address: 'https://v:1', auth: {token: {file: t}}}\n";
    let part = |name: &str| {
        format!(
            "{server}deliveries: [{{name: {name}, from: [{{vault: kv/a, version: '${{V:-7}}'}}]}}]\n"
        )
    };
    fs::write(folder.path().join("keyferry.yml"), part("a")).unwrap();
    run(&["check"]).expect(0);
    fs::write(folder.path().join("other.yml"), part("b")).unwrap();
    run(&["check", "--config", "."]).expect(0);
    let third = part("c").replace("v:1", "v:2");
    fs::write(folder.path().join("third.yml"), third).unwrap();
    let refused = run(&["check", "--config", "."]).expect(2);
    assert!(
        refused.stderr.contains("declared twice"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_stop_while_something_is_waited_for_tells_why_it_was() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let config = "vault: {address: 'http://127.0.0.1:1', auth: {token: {file: token}}}\n\
        deliveries: [{name: a, from: [{vault: kv/a}], to: [{file: {path: a.env}}]}]\n";
    fs::write(folder.path().join("keyferry.yaml"), config).unwrap();
    let typed = format!("timeout -s TERM 3 {} job", env!("CARGO_BIN_EXE_keyferry"));
    let output = Run::of("sh").dir(folder.path()).args(["-c", &typed]).run();
    let last = output.last_line();
    assert!(last.contains("stopped by a signal"), "{}", output.stderr);
    assert!(
        last.contains("cannot connect to http://127.0.0.1:1"),
        "{}",
        output.stderr
    );
}

/// Keys and encrypted files.
fn prepare(folder: &Path) {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let read = |name: &str| fs::read_to_string(vectors.join(name)).unwrap();
    let put = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    };
    fs::create_dir(folder.join("empty")).unwrap();
    put("token", "s.canaryTokenOfAFile2400".to_owned());
    put("jwt", "canaryhead.canarybody.canarysign".to_owned());
    put("age.key", read("age/made/x25519.key"));
    put("sealing.pem", read("sealed/old.pem"));
    put("two.enc.env", read("sops/two.enc.env"));
    put("other.enc.yaml", read("sops/other.enc.yaml"));
    let edited =
        read("sops/two.enc.env").replacen("ENC[AES256_GCM,data:", "ENC[AES256_GCM,data:AAAA", 1);
    put("edited.enc.env", edited);
    put(
        "renamed.yaml",
        read("sealed/strict.yaml").replace("name: app", "name: other"),
    );
}

/// What a server like Vault says.
fn answer(request: &Request) -> Reply {
    let path = request.path.as_str();
    let errors = |status, text: &str| Reply::json(status, &json!({"errors": [text]}));
    if path.contains("/sealed") {
        errors(503, "Vault is sealed")
    } else if path.contains("/html") {
        Reply::text(200, "text/html", "<html><body>Welcome</body></html>")
    } else if path.contains("/mount/") {
        errors(
            404,
            "no handler for route \"mount/a\". route entry not found.",
        )
    } else if path.contains("auth/approle/login") {
        errors(400, "invalid role or secret ID")
    } else if path.contains("auth/kubernetes/login") {
        errors(400, "invalid role name \"nope\"")
    } else {
        Reply::json(404, &json!({"errors": []}))
    }
}
