//! Rows that only a whole run shows: the binary with a configuration, beside a real server.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use super::{READ_ALL, VALUE, app_role};
use crate::support::openbao::OpenBao;
use crate::support::process::{Scratch, eventually};
use crate::support::run::keyferry;
use crate::support::session::secret_file;
use crate::support::sidecar::RunningSidecar;
use crate::support::signals::hears_signals;
use crate::support::stub::{Reply, Stub};
use keyferry::config::VaultAuth;

/// A folder with a configuration that logs in by AppRole and writes one file for each of these
/// secrets.
fn desk(bao: &OpenBao, names: &[&str]) -> (Scratch, Vec<String>) {
    let (secrets, server) = app_role(bao, READ_ALL, &json!({}));
    let VaultAuth::AppRole {
        mount,
        role_id_file,
        secret_id_file,
        ..
    } = server.auth
    else {
        panic!("an AppRole was asked for");
    };
    let deliveries: String = names
        .iter()
        .map(|name| {
            format!(
                "  - {{name: {name}, from: [{{vault: kv/{name}}}], to: \
            [{{file: {{path: out/{name}.env, createDirs: true}}}}]}}\n"
            )
        })
        .collect();
    let scratch = Scratch::new("whole");
    scratch.write(
        "keyferry.yaml",
        format!(
            "vault:\n  address: {}\n  auth: {{appRole: {{mount: {mount}, roleIdFile: {}, \
             secretIdFile: {}}}}}\ndeliveries:\n{deliveries}",
            bao.addr(),
            role_id_file.display(),
            secret_id_file.display()
        ),
    );
    (scratch, secrets)
}

fn there(desk: &Scratch) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(desk.path().join("out"))
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn row_30_two_missing_of_five_leave_three_delivered_and_nothing_emptied() {
    let bao = OpenBao::start();
    let names = ["a", "b", "c", "d", "e"];
    for name in names {
        bao.put(name, &json!({"PASSWORD": VALUE}));
    }
    let (desk, secrets) = desk(&bao, &names);
    let job = || keyferry().args(["job"]).dir(desk.path()).run();
    job().expect(0);
    let before: Vec<_> = names
        .iter()
        .map(|name| fs::metadata(desk.path().join(format!("out/{name}.env"))).unwrap())
        .map(|file| file.modified().unwrap())
        .collect();
    bao.delete("kv/metadata/b");
    bao.delete("kv/data/d");
    for name in ["a", "c", "e"] {
        bao.put(name, &json!({"PASSWORD": format!("{VALUE}2")}));
    }
    let output = job().expect(4);
    let canaries: Vec<&str> = secrets.iter().map(String::as_str).chain([VALUE]).collect();
    output.assert_no_canary(&canaries);
    for ((name, before), new) in names
        .iter()
        .zip(before)
        .zip([true, false, true, false, true])
    {
        let file = desk.path().join(format!("out/{name}.env"));
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(text.contains(&format!("{VALUE}2")), new, "{name}");
        assert!(text.contains(VALUE), "{name} was emptied");
        let touched = fs::metadata(&file).unwrap().modified().unwrap() != before;
        assert_eq!(touched, new, "{name}");
    }
}

#[test]
fn row_160_one_secret_in_three_spellings_is_read_once() {
    let bao = OpenBao::start();
    bao.put("app", &json!({"PASSWORD": VALUE}));
    let (desk, _) = desk(&bao, &[]);
    let config = desk.path().join("keyferry.yaml");
    let begin = fs::read_to_string(&config).unwrap();
    let spellings = ["kv/app", "kv/data/app", "/kv/app", "/v1/kv/data/app"];
    let deliveries = spellings.iter().enumerate().map(|(number, path)| {
        format!(
            "  - {{name: d{number}, from: [{{vault: {path}}}], to: [{{file: \
            {{path: {number}.env}}}}]}}\n"
        )
    });
    fs::write(&config, begin + &deliveries.collect::<String>()).unwrap();
    keyferry().args(["job"]).dir(desk.path()).run().expect(0);
    assert_eq!(super::audited(&bao, "read kv/data/app"), 1);
    let sidecar = RunningSidecar::start(desk.path(), &fs::read_to_string(&config).unwrap());
    sidecar.ready();
    assert_eq!(super::audited(&bao, "read kv/data/app"), 2);
}

#[test]
fn row_56_an_outage_ends_at_the_deadline_and_a_signal_ends_it_earlier() {
    let bao = OpenBao::start();
    bao.put("a", &json!({"PASSWORD": VALUE}));
    let (desk, _) = desk(&bao, &["a"]);
    bao.stop();
    let job = |deadline: &str| {
        keyferry()
            .args(["job", "--deadline", deadline])
            .dir(desk.path())
    };
    let output = job("2s").run().expect(7);
    assert!(output.elapsed < Duration::from_secs(7), "{output:?}");
    let last = output.last_line();
    assert!(
        last.contains("unavailable") && last.contains("no whole answer within"),
        "{last}"
    );
    let going = job("60s").start();
    eventually("it hears signals", Duration::from_secs(20), || {
        hears_signals(going.pid())
    });
    going.signal(Signal::TERM);
    let output = going.finish().expect(143);
    assert!(output.elapsed < Duration::from_secs(12), "{output:?}");
    assert_eq!(there(&desk), Vec::<String>::new());
    bao.cont();
    job("60s").run().expect(0);
    assert_eq!(there(&desk), ["a.env"]);
}

#[test]
fn row_58_a_clock_that_jumped_a_day_changes_nothing() {
    let bao = OpenBao::start();
    bao.put("a", &json!({"PASSWORD": VALUE}));
    let (desk, _) = desk(&bao, &["a"]);
    keyferry().args(["job"]).dir(desk.path()).run().expect(0);
    let file = desk.path().join("out/a.env");
    let day = Duration::from_secs(24 * 60 * 60);
    // To the run it is all one whether the clock went back or the file is from tomorrow.
    for then in [
        std::time::SystemTime::now() + day,
        std::time::SystemTime::now() - day,
    ] {
        let open = fs::File::options().read(true).open(&file).unwrap();
        open.set_modified(then).unwrap();
        let output = keyferry().args(["job"]).dir(desk.path()).run().expect(0);
        assert!(
            output.stderr.contains("nothing changed"),
            "{}",
            output.stderr
        );
        assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), then);
    }
}

/// Tokens that are alive.
fn accessors(bao: &OpenBao) -> usize {
    let answer = bao.list("auth/token/accessors");
    answer["data"]["keys"].as_array().map_or(0, Vec::len)
}

#[test]
fn row_29_a_lease_that_nobody_was_given_ends_with_its_token() {
    let bao = OpenBao::start();
    bao.put("a", &json!({"PASSWORD": VALUE}));
    let (folder, _) = desk(&bao, &["a"]);
    let head = fs::read_to_string(folder.path().join("keyferry.yaml")).unwrap();
    let head = head.split("deliveries:").next().unwrap().replace(
        "vault:\n",
        "vaults:\n hung: {address: 'http://127.0.0.1:HUNG', auth: {token: \
         {file: token}}}\n real:\n",
    );
    let hung = Stub::start(|_| Reply::Hang);
    let head = head.replace("HUNG", &hung.port().to_string());
    secret_file(folder.path(), "token", "s.c4naryToken");
    // A token is data with a lease that every server can give.
    bao.policy(
        "maker",
        r#"path "*" { capabilities = ["read", "update", "sudo"] }"#,
    );
    let mount = head
        .split("mount: ")
        .nth(1)
        .unwrap()
        .split(',')
        .next()
        .unwrap();
    bao.post(
        &format!("auth/{mount}/role/app"),
        &json!({"token_policies": ["maker"]}),
    );
    let leased = "{vault: auth/token/create, server: real, write: {ttl: 1h}, pick: [client_token]}";
    let to = "to: [{file: {path: out.env}}]";
    let whole = format!("[{{name: a, from: [{leased}], {to}}}]");
    // Without `pick` only a read tells the names.
    let unpicked = leased.replace(", pick: [client_token]", "");
    let lacking = format!("[{{name: a, from: [{unpicked}], require: [NOT_THERE], {to}}}]");
    let waiting = format!(
        "[{{name: a, from: [{leased}, {{vault: kv/data/b, server: hung, prefix: B_}}], {to}}}]"
    );
    let unwritable =
        format!("[{{name: a, from: [{leased}], to: [{{file: {{path: none/out.env}}}}]}}]");
    let rows: [(&str, &[&str], &str, i32, bool); 7] = [
        ("plan", &["plan"], &whole, 10, false),
        ("dry run", &["job", "--dry-run"], &whole, 10, false),
        ("require", &["job"], &lacking, 4, false),
        ("write", &["job"], &unwritable, 8, false),
        (
            "signal",
            &["job", "--deadline", "60s"],
            &waiting,
            143,
            false,
        ),
        ("exec", &["exec", "--", "true"], &lacking, 4, false),
        ("job", &["job"], &whole, 0, true),
    ];
    for (what, arguments, deliveries, code, lives) in rows {
        folder.write("keyferry.yaml", format!("{head}deliveries: {deliveries}\n"));
        let before = accessors(&bao);
        let going = keyferry().args(arguments).dir(folder.path()).start();
        if code == 143 {
            eventually("it is read", Duration::from_secs(20), || {
                accessors(&bao) == before + 2
            });
            going.signal(Signal::TERM);
        }
        let output = going.finish().expect(code);
        // The signal may come after the server made the lease and before its answer is read.
        assert!(
            code == 143 || output.stderr.contains("leased data read"),
            "{what}: {}",
            output.stderr
        );
        let left = accessors(&bao) - before;
        // Ours, and the one that it made.
        assert_eq!(left, if lives { 2 } else { 0 }, "{what}: {}", output.stderr);
    }
}

#[test]
fn row_57_runs_leave_no_token_behind() {
    let bao = OpenBao::start();
    bao.put("a", &json!({"password": VALUE}));
    let (desk, _) = desk(&bao, &["a", "second"]);
    let tokens = || {
        let answer = bao.list("auth/token/accessors");
        answer["data"]["keys"].as_array().map_or(0, Vec::len)
    };
    let before = tokens();
    for minute in 0..10 {
        // Whether all goes well or not: a run with a failure gives its token back too.
        let code = match minute % 2 {
            0 => 0,
            _ => 4,
        };
        if code == 0 {
            bao.put("second", &json!({"minute": minute.to_string()}));
        } else {
            bao.delete("kv/data/second");
        }
        keyferry()
            .dir(desk.path())
            .args(["job", "--deadline", "20s"])
            .run()
            .expect(code);
    }
    assert_eq!(tokens(), before);
}
