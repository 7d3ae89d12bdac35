//! SealedSecrets beside the tools that make them: kubeseal seals and recovers, Go renders, and we must say the same.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::encoding::Pkcs8V1Der;
use aws_lc_rs::rsa::{KeySize, PrivateDecryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyferry::envelope::sealed::gotemplate::Template;
use keyferry::envelope::sealed::{Keyring, parse, unseal};
use keyferry::manifest::Manifest;
use keyferry::material::SecretBytes;
use serde_json::{Value, json};

use crate::support::process::Scratch;
use crate::support::run::{Output, Run};
use crate::support::tools;

/// A sealing key as a user has it: PEM as the controller writes it, and the certificate for kubeseal.
struct Key {
    pem: String,
    pem_file: PathBuf,
    certificate: PathBuf,
    certificate_pem: String,
    _folder: Scratch,
}

impl Key {
    fn new(name: &str, size: KeySize) -> Self {
        let key = PrivateDecryptingKey::generate(size).expect("a key can be made");
        let der: Pkcs8V1Der<'_> = key.as_der().expect("a key can be written");
        // What stands before the PKCS#1 key has the same length for all these sizes.
        let pem = pem("RSA PRIVATE KEY", &der.as_ref()[26..]);
        let pair =
            rcgen::KeyPair::from_pem(&self::pem("PRIVATE KEY", der.as_ref())).expect("an RSA key");
        let params = rcgen::CertificateParams::new(Vec::new()).expect("no names are no bad names");
        let certificate_pem = params.self_signed(&pair).expect("it signs itself").pem();
        let folder = Scratch::new("sealing-key");
        Self {
            pem_file: folder.write(&format!("{name}.pem"), &pem),
            certificate: folder.write(&format!("{name}.crt"), &certificate_pem),
            pem,
            certificate_pem,
            _folder: folder,
        }
    }

    fn secret(&self, name: &str, state: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": {"name": name, "namespace": "kube-system", "labels": {"sealedsecrets.bitnami.com/sealed-secrets-key": state}},
            "data": {"tls.key": STANDARD.encode(&self.pem), "tls.crt": STANDARD.encode(&self.certificate_pem)},
        })
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).expect("ASCII"))
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

/// Keys of the three usual sizes, made once.
fn keys() -> &'static [Key; 3] {
    static KEYS: OnceLock<[Key; 3]> = OnceLock::new();
    KEYS.get_or_init(|| {
        [
            ("small", KeySize::Rsa2048),
            ("middle", KeySize::Rsa3072),
            ("large", KeySize::Rsa4096),
        ]
        .map(|(name, size)| Key::new(name, size))
    })
}

fn keyring(files: &[&str]) -> Keyring {
    let mut keys = Keyring::default();
    for file in files {
        keys.add("test", &SecretBytes::from(*file)).expect("a key");
    }
    keys
}

fn kubeseal(args: &[&str], stdin: impl Into<Vec<u8>>) -> Output {
    // It looks for a kubeconfig even when it needs none.
    Run::of(tools::kubeseal())
        .args(args)
        .env("HOME", "/nonexistent")
        .stdin(stdin)
        .run()
}

fn seal(key: &Key, scope: &str, secret: &Value) -> String {
    let certificate = key.certificate.display().to_string();
    kubeseal(
        &["--cert", &certificate, "--scope", scope, "-o", "yaml"],
        secret.to_string(),
    )
    .expect(0)
    .stdout
}

/// What kubeseal recovers, or its refusal.
fn recover(sealed: &str, key_files: &[&str]) -> Result<Value, String> {
    let done = kubeseal(
        &[
            "--recovery-unseal",
            "--recovery-private-key",
            &key_files.join(","),
            "-o",
            "json",
        ],
        sealed,
    );
    if done.code == 0 {
        Ok(serde_json::from_str(&done.stdout).expect("kubeseal writes JSON"))
    } else {
        Err(done.stderr)
    }
}

fn open(sealed: &str, keys: &Keyring) -> Result<Manifest, String> {
    let mut found = parse(sealed.as_bytes()).map_err(|error| error.to_string())?;
    assert_eq!(found.len(), 1, "{sealed}");
    Ok(unseal(&found.remove(0), keys)
        .map_err(|error| error.to_string())?
        .secret)
}

/// All that both sides must agree on.
fn assert_same(ours: &Manifest, theirs: &Value) {
    let data: BTreeMap<String, Vec<u8>> = theirs["data"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| {
            (
                key.clone(),
                STANDARD
                    .decode(value.as_str().unwrap_or_default())
                    .expect("base64"),
            )
        })
        .collect();
    let opened: BTreeMap<String, Vec<u8>> = ours
        .data
        .iter()
        .map(|(key, value)| (key.clone(), value.expose().to_vec()))
        .collect();
    assert_eq!(opened, data);
    assert_eq!(
        Some(ours.name.as_str()),
        theirs["metadata"]["name"].as_str()
    );
    assert_eq!(
        ours.namespace.as_deref(),
        theirs["metadata"]["namespace"].as_str()
    );
    assert_eq!(ours.kind, theirs["type"].as_str().unwrap_or("Opaque"));
    assert_eq!(
        ours.immutable,
        theirs["immutable"].as_bool().unwrap_or(false)
    );
    let texts = |map: &BTreeMap<String, String>| serde_json::to_value(map).expect("a map");
    let or_empty = |value: &Value| {
        if value.is_null() {
            json!({})
        } else {
            value.clone()
        }
    };
    assert_eq!(texts(&ours.labels), or_empty(&theirs["metadata"]["labels"]));
    assert_eq!(
        texts(&ours.annotations),
        or_empty(&theirs["metadata"]["annotations"])
    );
}

/// A Secret with values of all sizes; the same for the same `seed`.
fn secret(seed: u8, sizes: &[usize]) -> Value {
    let data: BTreeMap<String, String> = sizes
        .iter()
        .map(|size| {
            let bytes: Vec<u8> = (0..*size)
                .map(|at| (at as u8).wrapping_mul(31).wrapping_add(seed))
                .collect();
            (format!("k.{size}_{seed}"), STANDARD.encode(bytes))
        })
        .collect();
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "example.org/kind", "immutable": seed % 2 == 0,
        "metadata": {"name": "app", "namespace": "platform", "labels": {"a": "b"}, "annotations": {"c": "d"}},
        "data": data,
    })
}

const SCOPES: [&str; 3] = ["strict", "namespace-wide", "cluster-wide"];

#[test]
fn all_scopes_keys_and_sizes_open_as_kubeseal_recovers_them() {
    let ring = keyring(&[&keys()[0].pem, &keys()[1].pem, &keys()[2].pem]);
    let mut seed = 0;
    for key in keys() {
        for scope in SCOPES {
            seed += 1;
            let sealed = seal(
                key,
                scope,
                &secret(seed, &[0, 1, 15, 16, 17, 4096, 100_000]),
            );
            let theirs = recover(&sealed, &[&key.pem_file.display().to_string()])
                .expect("kubeseal opens its own");
            assert_same(&open(&sealed, &ring).expect(scope), &theirs);
        }
    }
}

#[test]
fn items_of_several_keys_in_one_object_open_and_the_report_names_them() {
    let [old, _, new] = keys();
    let mut sealed: Value = serde_json::from_str(
        &kubeseal(
            &["--cert", &old.certificate.display().to_string()],
            secret(1, &[5, 50, 500]).to_string(),
        )
        .expect(0)
        .stdout,
    )
    .expect("kubeseal writes JSON");
    for (scope, size) in [("strict", 7), ("strict", 70)] {
        let args = [
            "--raw",
            "--scope",
            scope,
            "--name",
            "app",
            "-n",
            "platform",
            "--from-file",
            "/dev/stdin",
            "--cert",
        ];
        let certificate = new.certificate.display().to_string();
        let raw = kubeseal(&[&args[..], &[&certificate]].concat(), vec![b'r'; size])
            .expect(0)
            .stdout;
        sealed["spec"]["encryptedData"][format!("raw{size}")] = json!(raw);
    }
    let mut found = parse(sealed.to_string().as_bytes()).expect("well formed");
    let opened = unseal(&found.remove(0), &keyring(&[&new.pem, &old.pem])).expect("it opens");
    assert_eq!(opened.opened_by.len(), 2);
    let theirs = recover(
        &sealed.to_string(),
        &[&old.pem_file, &new.pem_file].map(|file| file.to_str().expect("UTF-8")),
    );
    assert_same(&opened.secret, &theirs.expect("kubeseal opens it"));
    let told = open(&sealed.to_string(), &keyring(&[&old.pem])).expect_err("a key is missing");
    assert_eq!(
        told,
        "sealed secret platform/app: no key opens `raw7` (scope strict)"
    );
}

#[test]
fn backups_of_the_controllers_secrets_are_read_as_kubeseal_reads_them() {
    let [old, retired, new] = keys();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [old.secret("one", "active"), new.secret("two", "active")]});
    let both = json!({"apiVersion": "v1", "kind": "List", "items": [old.secret("one", "compromised"), new.secret("two", "active")]});
    let folder = Scratch::new("backup");
    let yaml = format!(
        "---\n{}\n---\n{}\n",
        old.secret("a", "active"),
        retired.secret("b", "active")
    );
    for (backup, key, opens) in [
        (list.to_string(), new, true),
        (yaml, retired, true),
        (both.to_string(), old, false),
    ] {
        let file = folder.write("main.key", &backup);
        let sealed = seal(key, "strict", &secret(3, &[10]));
        // kubeseal uses a retired key as well: it does not look at labels. The controller, and we, do.
        let theirs = recover(&sealed, &[&file.display().to_string()]).expect("kubeseal opens it");
        match open(&sealed, &keyring(&[&backup])) {
            Ok(ours) => {
                assert!(opens);
                assert_same(&ours, &theirs);
            }
            Err(told) => assert!(!opens, "{told}"),
        }
    }
}

/// Whatever kubeseal refuses we refuse, and what we open is what was sealed. (Where we refuse more, the row says so.)
#[test]
fn what_was_moved_or_damaged_is_judged_as_by_kubeseal() {
    let key = &keys()[0];
    let ring = keyring(&[&key.pem]);
    let annotated = |name: &str| {
        format!("metadata:\n  annotations:\n    sealedsecrets.bitnami.com/{name}: \"true\"\n")
    };
    let mut judged = [0, 0];
    for scope in SCOPES {
        let sealed = seal(key, scope, &secret(9, &[3, 33]));
        let untold = sealed
            .replace("      name: app\n", "")
            .replace("      namespace: platform\n", "");
        let mut changed = vec![
            untold.replacen("  name: app", "  name: other", 1),
            untold.replacen("  namespace: platform", "  namespace: other", 1),
            untold.replacen(
                "metadata:\n  annotations:\n    sealedsecrets.bitnami.com/cluster-wide: \"true\"\n",
                "metadata:\n",
                1,
            ),
            untold.replacen("metadata:\n", &annotated("cluster-wide"), 1),
            untold.replacen("metadata:\n", &annotated("namespace-wide"), 1),
            untold.replace("cluster-wide", "namespace-wide"),
            untold.replace("namespace-wide", "cluster-wide"),
            untold.replacen("spec:\n", "spec:\n  data: AQID\n", 1),
        ];
        let start = untold.find("AQ").expect("a ciphertext of 2048 bits");
        for step in 0..24 {
            let at = start + step * 17;
            let mut bytes = untold.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            changed.push(String::from_utf8(bytes).expect("ASCII"));
        }
        for text in changed {
            let theirs = recover(&text, &[&key.pem_file.display().to_string()]);
            match (open(&text, &ring), theirs) {
                (Ok(ours), Ok(theirs)) => {
                    judged[0] += 1;
                    assert_same(&ours, &theirs);
                }
                (Ok(_), Err(theirs)) => panic!("kubeseal refuses ({theirs}) what we open:\n{text}"),
                // Two keys of one name in YAML: kubeseal takes the last, we refuse.
                (Err(ours), Ok(_)) => assert!(ours.contains("twice"), "{ours}\n{text}"),
                (Err(ours), Err(_)) => {
                    judged[1] += 1;
                    assert!(
                        ours.contains("no key opens")
                            || ours.contains("too short")
                            || ours.contains("both")
                            || ours.contains("YAML"),
                        "{ours}"
                    );
                }
            }
        }
    }
    assert!(judged[0] >= 6 && judged[1] >= 70, "{judged:?}");
}

#[derive(serde::Deserialize)]
struct Vectors {
    data: BTreeMap<String, String>,
    same: Vec<(String, String)>,
    refused: Vec<(String, String)>,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../vectors/sealed/gotemplate.json"))
        .expect("the vectors are JSON")
}

#[test]
fn templates_of_a_real_object_render_as_in_kubeseal() {
    let Vectors { data, same, .. } = vectors();
    let sealed = seal(
        &keys()[0],
        "strict",
        &json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "app", "namespace": "platform"}, "stringData": data,
        }),
    );
    let made: serde_json::Map<String, Value> = same
        .iter()
        .enumerate()
        .map(|(at, (text, _))| (format!("made{at}"), json!(text)))
        .collect();
    let text = sealed.replacen(
        "  template:\n",
        &format!("  template:\n    data: {}\n", Value::Object(made)),
        1,
    );
    let theirs =
        recover(&text, &[&keys()[0].pem_file.display().to_string()]).expect("kubeseal renders");
    assert_same(
        &open(&text, &keyring(&[&keys()[0].pem])).expect("we render"),
        &theirs,
    );
}

/// What Go makes of templates: a text or a refusal.
fn rendered_by_go(
    templates: &[String],
    data: &BTreeMap<String, Vec<u8>>,
) -> Vec<Result<Vec<u8>, String>> {
    let data: BTreeMap<&String, String> = data
        .iter()
        .map(|(key, value)| (key, STANDARD.encode(value)))
        .collect();
    let asked: Vec<String> = templates
        .iter()
        .map(|text| json!({"text": text, "data": data}).to_string())
        .collect();
    let done = Run::of(tools::gotemplate())
        .stdin(asked.join("\n"))
        .run()
        .expect(0);
    let answers: Vec<Value> = done
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(answers.len(), templates.len());
    let read = |answer: &Value| match answer["error"].as_str() {
        Some(error) => Err(error.to_owned()),
        None => Ok(STANDARD
            .decode(answer["out"].as_str().unwrap_or_default())
            .expect("base64")),
    };
    answers.iter().map(read).collect()
}

fn rendered(text: &str, data: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, String> {
    let secrets = data
        .iter()
        .map(|(key, value)| (key.clone(), SecretBytes::from(value.clone())))
        .collect();
    let made = Template::parse(text).and_then(|template| template.render(&secrets));
    made.map(|made| made.expose().to_vec())
        .map_err(|error| error.to_string())
}

#[test]
fn the_rows_of_the_table_are_what_go_renders() {
    let Vectors {
        data,
        same,
        refused,
    } = vectors();
    let data: BTreeMap<String, Vec<u8>> = data
        .into_iter()
        .map(|(key, value)| (key, value.into_bytes()))
        .collect();
    let (texts, expected): (Vec<String>, Vec<String>) = same.into_iter().unzip();
    for ((text, expected), theirs) in texts
        .iter()
        .zip(&expected)
        .zip(rendered_by_go(&texts, &data))
    {
        assert_eq!(theirs.as_deref(), Ok(expected.as_bytes()), "{text}");
    }
    // What we refuse, Go refuses too, or it is a thing that is not supported, or its output is no value that anybody wants.
    let (texts, told): (Vec<String>, Vec<String>) = refused.into_iter().unzip();
    for ((text, told), theirs) in texts.iter().zip(&told).zip(rendered_by_go(&texts, &data)) {
        let ours_only = [
            "is not supported",
            "there is no value",
            "b64dec",
            "list",
            "all values",
            "1 MiB",
            "coalesce",
            "printf",
            "ASCII",
        ];
        assert!(
            theirs.is_err() || ours_only.iter().any(|word| told.contains(word)),
            "{text}: {theirs:?}"
        );
    }
}

/// Random templates from a grammar of all that is supported; whatever we render, Go renders alike.
#[test]
fn random_templates_render_as_in_go_or_are_refused() {
    let mut random = Random(0x5eed_1234_9abc_def1);
    let awkward = [
        "",
        "a",
        "p<>&\"'\\",
        " sp ace \n\t",
        "é€𝄞\u{2028}\u{7f}",
        "YWJj",
        "x,y,,z",
        "l1\nl2\n",
        "42",
        "-7",
        "{{ .a }}",
        "true",
    ];
    let data: BTreeMap<String, Vec<u8>> = ["a", "b", "c", "d_1"]
        .into_iter()
        .map(|name| {
            (
                name.to_owned(),
                awkward[random.below(awkward.len())].as_bytes().to_vec(),
            )
        })
        .chain([("raw".to_owned(), vec![0xff, 0x00, b'z'])])
        .collect();
    let templates: Vec<String> = (0..15_000).map(|_| random.template(3)).collect();
    let mut same = 0;
    for (text, theirs) in templates.iter().zip(rendered_by_go(&templates, &data)) {
        if let Ok(ours) = rendered(text, &data) {
            assert_eq!(Ok(ours), theirs, "{text}");
            same += 1;
        }
    }
    assert!(
        same > 2_000,
        "only {same} of {} were rendered",
        templates.len()
    );
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).expect("small")
    }

    fn one_of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }

    fn template(&mut self, depth: usize) -> String {
        let mut text = String::new();
        for _ in 0..=self.below(3) {
            text.push_str(self.one_of(&["", " ", "\n", "x", " = ", "\n  k: "]));
            let open = self.one_of(&["{{ ", "{{", "{{- "]);
            let close = self.one_of(&[" }}", "}}", " -}}"]);
            let inner = if depth > 0 { self.below(8) } else { 7 };
            let value = self.pipeline(depth.min(2));
            match inner {
                0 => {
                    let (yes, no) = (self.template(depth - 1), self.template(depth - 1));
                    text.push_str(&format!(
                        "{open}if {value}{close}{yes}{{{{ else }}}}{no}{{{{ end }}}}"
                    ));
                }
                1 => {
                    let body = self.template(depth - 1);
                    let over = self.one_of(&[".", "$", "splitList \",\" .c", "list .a 1 \"z\""]);
                    text.push_str(&format!("{open}range $k, $v := {over}{close}{{{{ $k }}}}{{{{ toJson $v }}}}{body}{{{{ end }}}}"));
                }
                2 => {
                    let body = self.template(depth - 1);
                    text.push_str(&format!(
                        "{open}with {value}{close}{{{{ . }}}}{body}{{{{ end }}}}"
                    ));
                }
                3 => text.push_str(&format!("{open}/* {value} */{close}")),
                4 => text.push_str(&format!("{open}$x := {value}{close}{{{{ $x }}}}")),
                _ => text.push_str(&format!("{open}{value}{close}")),
            }
        }
        text
    }

    fn pipeline(&mut self, depth: usize) -> String {
        let mut text = self.command(depth);
        for _ in 0..self.below(3) {
            let next = self.one_of(&[
                "quote",
                "squote",
                "b64enc",
                "b64dec",
                "upper",
                "lower",
                "trim",
                "toJson",
                "toRawJson",
                "toPrettyJson",
                "urlquery",
                "html",
                "indent 2",
                "nindent 4",
                "default \"d\"",
                "trunc 3",
                "trunc -2",
                "nospace",
                "toString",
                "len",
                "sha256sum",
                "splitList \",\"",
                "join \"-\"",
                "first",
                "printf \"<%s>\"",
                "printf \"%q|%v\" .a",
                "replace \"a\" \"b\"",
                "contains \"a\"",
                "eq \"a\"",
                "not",
                "print",
                "repeat 2",
                "atoi",
                "trimAll \"x \"",
                "trimPrefix \"x\"",
                "trimSuffix \"\\n\"",
                "cat \"c\"",
                "empty",
                "coalesce .b",
                "and .a",
                "or .b",
            ]);
            text.push_str(&format!("{}{next}", self.one_of(&[" | ", "|"])));
        }
        text
    }

    fn command(&mut self, depth: usize) -> String {
        let operand = |random: &mut Self| random.operand(depth);
        match self.below(9) {
            0..=3 => operand(self),
            4 => format!("printf \"%s-%v\" {} {}", operand(self), operand(self)),
            5 => format!(
                "{} {}",
                self.one_of(&[
                    "upper", "quote", "toJson", "len", "print", "println", "empty", "not", "last"
                ]),
                operand(self)
            ),
            6 => format!(
                "{} {} {}",
                self.one_of(&[
                    "eq", "ne", "lt", "le", "gt", "ge", "and", "or", "default", "print", "cat",
                    "list", "coalesce"
                ]),
                operand(self),
                operand(self)
            ),
            7 => format!(
                "index . {}",
                self.one_of(&["\"a\"", "\"d_1\"", "`b`", "\"missing\""])
            ),
            _ => format!(
                "ternary {} {} {}",
                operand(self),
                operand(self),
                self.one_of(&["true", "false", "(eq .a .b)", "(empty .c)"])
            ),
        }
    }

    fn operand(&mut self, depth: usize) -> String {
        let parens = if depth > 0 { self.below(6) } else { 1 };
        if parens == 0 {
            return format!("({})", self.pipeline(depth - 1));
        }
        self.one_of(&[
            ".a",
            ".b",
            ".c",
            ".d_1",
            "$.a",
            ".raw",
            ".missing",
            "\"lit\\n\\x41é\"",
            "`raw \\n`",
            "1",
            "-3",
            "0",
            "true",
            "false",
            ".",
            "$",
        ])
        .to_owned()
    }
}

/// Row 40: 100 keys and 50 values in bounded time. Each value has a key of its own among them, so none is found by remembering.
#[test]
fn many_keys_and_values_open_in_bounded_time() {
    let made: Vec<Key> = (0..100)
        .map(|at| Key::new(&format!("many{at}"), KeySize::Rsa2048))
        .collect();
    let mut keys = Keyring::default();
    for key in &made {
        keys.add("many", &SecretBytes::from(key.pem.as_str()))
            .expect("a key");
    }
    let same_key = seal(
        &made[99],
        "strict",
        &secret(1, &(1..=50).collect::<Vec<_>>()),
    );
    let start = Instant::now();
    assert_eq!(open(&same_key, &keys).expect("it opens").data.len(), 50);
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
    let mut scattered: Value = json!({
        "apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "metadata": {"name": "app", "namespace": "platform"}, "spec": {"encryptedData": {}},
    });
    for (at, key) in made.iter().step_by(2).enumerate() {
        let sealed = seal(key, "strict", &secret(1, &[at + 1]));
        let line = sealed
            .lines()
            .find(|line| line.starts_with("    k."))
            .expect("one value");
        let (name, blob) = line.trim().split_once(": ").expect("a key and its value");
        scattered["spec"]["encryptedData"][name] = json!(blob);
    }
    let start = Instant::now();
    assert_eq!(
        open(&scattered.to_string(), &keys)
            .expect("it opens")
            .data
            .len(),
        50
    );
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
}
