//! What must hold for any input at all, one judge per parser. The fuzz targets in `fuzz/` use this
//! very file.
//!
//! A judge gets bytes, panics where something is wrong, and says whether the input was accepted.
//! Accepted must mean harmless: no other plaintext than the one that was encrypted, and no refusal
//! that shows it.

use std::fmt::Display;
use std::sync::OnceLock;

use keyferry::base::material::{Node, SecretBytes};
use keyferry::copy_rules::pattern::budget::{Budget, Cost};
use keyferry::copy_rules::pattern::{Matching, PatternList, Syntax};
use keyferry::envelope::age::{self, Identity};
use keyferry::envelope::sealed::{self, Keyring, SealScope, Sealed, SealedSecret, SecretTemplate};
use keyferry::envelope::sops::{self, SopsPolicy};
use keyferry::format::document::{self, DocumentFormat};
use keyferry::template::go::{MOST_PARTS, Template};

/// A parser under test.
pub(crate) struct Target {
    pub(crate) judge: fn(&[u8]) -> bool,
    /// Inputs that are accepted.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
}

pub(crate) const SOPS_METADATA: Target = Target {
    judge: sops_metadata,
    seeds: || numbered(FILES.iter().map(|file| file.parts().1.to_vec())),
};
pub(crate) const SOPS_VALUE: Target = Target {
    judge: sops_value,
    seeds: || {
        let text = FILES[JSON].text;
        numbered(
            values(text)
                .into_iter()
                .map(|(from, to)| text[from..to].into()),
        )
    },
};
pub(crate) const SEALED_BLOB: Target = Target {
    judge: sealed_blob,
    seeds: || numbered(blobs().into_iter().map(|(_, blob)| blob)),
};
pub(crate) const AGE_FILE: Target = Target {
    judge: age_file,
    seeds: || AGE_FILES.iter().map(|file| file.to_vec()).collect(),
};
pub(crate) const DOTENV: Target = Target {
    judge: |input| plain(input, DocumentFormat::Dotenv),
    seeds: || {
        vec![
            DOTENV_TEXT.into(),
            include_bytes!("../../vectors/sops/versions/plain.env").to_vec(),
        ]
    },
};
pub(crate) const INI: Target = Target {
    judge: |input| plain(input, DocumentFormat::Ini),
    seeds: || {
        vec![
            INI_TEXT.into(),
            include_bytes!("../../vectors/sops/versions/plain.ini").to_vec(),
        ]
    },
};

pub(crate) const YAML: Target = Target {
    judge: yaml,
    seeds: || {
        vec![
            YAML_TEXT.into(),
            include_bytes!("../../vectors/sops/versions/plain.yaml").to_vec(),
        ]
    },
};
/// The first byte says whose patterns they are and what they match.
pub(crate) const PATTERNS: Target = Target {
    judge: patterns,
    seeds: || numbered(PATTERN_TEXTS.iter().map(|text| text.as_bytes().to_vec())),
};
pub(crate) const GO_TEMPLATE: Target = Target {
    judge: go_template,
    seeds: || {
        TEMPLATES
            .iter()
            .map(|text| text.as_bytes().to_vec())
            .collect()
    },
};

/// A file of sops, cut before its metadata.
struct File {
    text: &'static str,
    format: DocumentFormat,
    /// Where the metadata begins.
    cut: &'static str,
}

const FILES: [File; 7] = [
    File {
        text: include_str!("../../vectors/sops/versions/3.13.3/default.enc.json"),
        format: DocumentFormat::Json,
        cut: "\t\"sops\": ",
    },
    File {
        text: include_str!("../../vectors/sops/versions/3.13.3/default.enc.yaml"),
        format: DocumentFormat::Yaml,
        cut: "sops:\n",
    },
    File {
        text: include_str!("../../vectors/sops/versions/3.13.3/groups.enc.yaml"),
        format: DocumentFormat::Yaml,
        cut: "sops:\n",
    },
    File {
        text: include_str!("../../vectors/sops/versions/3.9.4/recipients.enc.yaml"),
        format: DocumentFormat::Yaml,
        cut: "sops:\n",
    },
    File {
        text: include_str!("../../vectors/sops/versions/3.13.3/groups.enc.env"),
        format: DocumentFormat::Dotenv,
        cut: "sops_",
    },
    File {
        text: include_str!("../../vectors/sops/versions/3.13.3/groups.enc.ini"),
        format: DocumentFormat::Ini,
        cut: "[sops]",
    },
    File {
        text: include_str!("../../vectors/sops/versions/3.7.3/default.enc.bin"),
        format: DocumentFormat::Raw,
        cut: "\t\"sops\": ",
    },
];
/// The one whose values are bent.
const JSON: usize = 0;

const AGE_FILES: [&[u8]; 4] = [
    include_bytes!("../../vectors/age/made/x25519.age"),
    include_bytes!("../../vectors/age/made/hybrid.age"),
    include_bytes!("../../vectors/age/made/ssh_ed25519.age"),
    include_bytes!("../../vectors/age/made/three.age"),
];
/// What is in each of them.
const AGE_PAYLOAD: &[u8] = b"canary-value-7\n";

const DOTENV_TEXT: &str =
    "export A=1\n# note\nB='a\nb'\nC=\"x\\n\\\"\\\\y\" # note\nD=bare # note\nE=\nF='it'\n";
const INI_TEXT: &str = "top = 1\n; note\n[a.b]\nx = \"q\"\ny = `t # ;`\nz = \"\"\"a\nb\"\"\"\nw = \
    a \\\n  b\n[DEFAULT]\nk: v\n[a.b]\nu = %(x)s\n";

const YAML_TEXT: &str = "---\n# note\nbase: &b {x: 1, y: [~, .inf, 2024-01-02]}\nm:\n  <<: *b\n  \
    'q': \"a\\u00e9\\n\"\nlit: |2-\n   one\n\n  two\nfold: >\n  a\n  b\n? k\n: !!binary \
    aGk=\n---\nl:\n- - 1\n  - {a: b}\n";
/// What YAML may unfold into beside what stands there.
const MOST_UNFOLDED: usize = 8 << 20;
const PATTERN_TEXTS: [&str; 4] = [
    "team-[0-9]*,prod|dev, a.b ,(?i)x{3}",
    "^(?:a|b)+$,\\\\d+,[a-z]{3}-.*",
    "plain,other-name",
    "(a(b(c)?)*)+,x{20}",
];
const TEMPLATES: [&str; 4] = [
    "{{ .a }} {{- /* note */ -}} {{ index . \"b-c\" | upper | quote }}",
    "{{ if and .a (eq .a \"x\") }}y{{ else if .d }}z{{ else }}n{{ end }}",
    "{{ $v := splitList \",\" .a }}{{ range $i, $x := $v }}{{ $i }}={{ $x | b64enc }}{{ end }}",
    "{{ with .d }}{{ . | trim | sha256sum | trunc 5 }}{{ end }}{{ printf \"%s-%q\" .a .d | indent \
     2 }}{{ repeat 3 .a }}",
];

impl File {
    fn parts(&self) -> (&'static [u8], &'static [u8]) {
        let at = self.text.find(self.cut).expect("the metadata is there");
        self.text.as_bytes().split_at(at)
    }
}

/// The first byte of an input says which of several things the rest belongs to.
fn numbered(inputs: impl Iterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let inputs = inputs.zip(0u8..);
    inputs
        .map(|(input, number)| [vec![number], input].concat())
        .collect()
}

fn keys() -> &'static [Identity] {
    static KEYS: OnceLock<Vec<Identity>> = OnceLock::new();
    KEYS.get_or_init(|| {
        let ssh = SecretBytes::from(&include_bytes!("../../vectors/age/made/ssh_ed25519")[..]);
        let mut keys = vec![Identity::ssh(&ssh).expect("an SSH key")];
        for file in [
            &include_bytes!("../../vectors/age/made/x25519.key")[..],
            include_bytes!("../../vectors/age/made/hybrid.key"),
        ] {
            keys.extend(age::identities(&SecretBytes::from(file)).expect("a key file"));
        }
        keys
    })
}

/// Metadata behind encrypted values that nobody touched.
fn sops_metadata(input: &[u8]) -> bool {
    let Some((number, rest)) = input.split_first() else {
        return false;
    };
    let file = &FILES[usize::from(*number) % FILES.len()];
    let bytes = [file.parts().0, rest].concat();
    if let Err(error) = sops::recipients(&bytes, file.format) {
        shows_nothing(&error);
    }
    opens_to_the_same(&bytes, file)
}

/// One value in an untouched file.
fn sops_value(input: &[u8]) -> bool {
    let Some((number, rest)) = input.split_first() else {
        return false;
    };
    let Ok(value) = std::str::from_utf8(rest) else {
        return false;
    };
    let file = &FILES[JSON];
    let places = values(file.text);
    let (from, to) = places[usize::from(*number) % places.len()];
    let quoted: String = value.chars().map(in_json).collect();
    let bytes = [&file.text[..from], &quoted, &file.text[to..]].concat();
    opens_to_the_same(bytes.as_bytes(), file)
}

fn in_json(c: char) -> String {
    match c {
        '"' | '\\' => format!("\\{c}"),
        c if c < ' ' => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    }
}

/// Where encrypted values stand in a JSON file, those of the metadata left out.
fn values(text: &str) -> Vec<(usize, usize)> {
    let tree = &text[..text.find("\t\"sops\": ").expect("the metadata is there")];
    let starts = tree.match_indices("\"ENC[").map(|(at, _)| at + 1);
    let ends = starts.map(|from| (from, from + tree[from..].find('"').expect("it ends")));
    ends.collect()
}

fn opens_to_the_same(bytes: &[u8], file: &File) -> bool {
    let opened = match sops::open(bytes, file.format, keys(), SopsPolicy::default()) {
        Ok(opened) => opened,
        Err(error) => {
            shows_nothing(&error);
            return false;
        }
    };
    let whole = sops::open(
        file.text.as_bytes(),
        file.format,
        keys(),
        SopsPolicy::default(),
    );
    let mut before = leaves(&whole.expect("an untouched file opens").documents).into_iter();
    // Keys, and values that are empty, are covered by nothing; every other value stands where it
    // stood.
    for leaf in leaves(&opened.documents) {
        assert!(before.any(|other| other == leaf), "another plaintext");
    }
    true
}

/// The bytes of all values that are not empty, in order.
fn leaves(nodes: &[Node]) -> Vec<Vec<u8>> {
    let inside = |node: &Node| match node {
        Node::List(items) => leaves(items),
        Node::Map(entries) => {
            let entries = entries.iter();
            entries
                .flat_map(|(_, node)| leaves(std::slice::from_ref(node)))
                .collect()
        }
        Node::Null | Node::Bool(_) | Node::Number(_) | Node::Time(_) | Node::Text(_) => {
            let leaf = node.leaf().filter(|leaf| !leaf.is_empty());
            leaf.map(|leaf| leaf.expose().to_vec())
                .into_iter()
                .collect()
        }
    };
    nodes.iter().flat_map(inside).collect()
}

fn shows_nothing(error: &dyn Display) {
    let text = error.to_string();
    assert!(!text.contains("canary"), "a value is in {text}");
}

/// What `platform/app` seals.
fn blobs() -> Vec<(String, Vec<u8>)> {
    let file = include_bytes!("../../vectors/sealed/strict.yaml");
    let object = sealed::parse(file).expect("well formed").remove(0);
    match object.sealed {
        Sealed::Values(values) => values,
        Sealed::Whole(_) => panic!("it seals each value by itself"),
    }
}

fn unseal(values: Vec<(String, Vec<u8>)>) -> Result<Vec<Vec<u8>>, sealed::UnsealError> {
    static KEYS: OnceLock<Keyring> = OnceLock::new();
    let keys = KEYS.get_or_init(|| {
        let mut keys = Keyring::default();
        let file = SecretBytes::from(&include_bytes!("../../vectors/sealed/old.pem")[..]);
        keys.add("old.pem", &file).expect("a key");
        keys
    });
    let object = SealedSecret {
        namespace: Some("platform".into()),
        name: "app".into(),
        version: None,
        scope: SealScope::Strict,
        sealed: Sealed::Values(values),
        template: SecretTemplate::default(),
    };
    let data = sealed::unseal(&object, keys)?.secret.data;
    Ok(data
        .into_values()
        .map(|value| value.expose().to_vec())
        .collect())
}

/// One sealed value; under which key of the Secret it stands is covered by nothing.
fn sealed_blob(input: &[u8]) -> bool {
    static BEFORE: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let before = BEFORE.get_or_init(|| unseal(blobs()).expect("an untouched object opens"));
    let blob = input.get(1..).unwrap_or_default().to_vec();
    match unseal(vec![("key".into(), blob)]) {
        Ok(after) => {
            assert!(
                after.iter().all(|value| before.contains(value)),
                "another plaintext"
            );
            true
        }
        Err(error) => {
            shows_nothing(&error);
            false
        }
    }
}

fn age_file(input: &[u8]) -> bool {
    if let Err(error) = age::recipients(input) {
        shows_nothing(&error);
    }
    match age::open(input, keys()) {
        Ok(opened) => {
            assert!(
                opened.plaintext.expose() == AGE_PAYLOAD,
                "another plaintext"
            );
            true
        }
        Err(error) => {
            shows_nothing(&error);
            false
        }
    }
}

/// A plain document: nothing comes out of it that did not go in, and no name twice.
fn plain(input: &[u8], format: DocumentFormat) -> bool {
    let Ok(documents) = document::parse(SecretBytes::from(input), format) else {
        return false;
    };
    let size: usize = leaves(&documents).iter().map(Vec::len).sum();
    assert!(
        size <= input.len(),
        "{size} bytes of values in {} bytes",
        input.len()
    );
    documents.iter().for_each(names_differ);
    true
}

/// By the rules of plain documents, and by those of SOPS, which reads its metadata in the same way.
fn yaml(input: &[u8]) -> bool {
    if let Err(error) = sops::recipients(input, DocumentFormat::Yaml) {
        shows_nothing(&error);
    }
    let Ok(documents) = document::parse(SecretBytes::from(input), DocumentFormat::Yaml) else {
        return false;
    };
    let size: usize = leaves(&documents).iter().map(Vec::len).sum();
    assert!(
        size <= input.len() + MOST_UNFOLDED,
        "{size} bytes of values"
    );
    documents.iter().for_each(names_differ);
    true
}

fn patterns(input: &[u8]) -> bool {
    let Some((number, rest)) = input.split_first() else {
        return false;
    };
    let Ok(text) = std::str::from_utf8(rest) else {
        return false;
    };
    let syntax = [Syntax::DotNet, Syntax::Go][usize::from(number & 1)];
    let matching = [Matching::Whole, Matching::LeftmostFirst][usize::from(number >> 1 & 1)];
    let Ok(list) = PatternList::parse(text, syntax, matching, &mut Budget::after(Cost::default()))
    else {
        return false;
    };
    let longest = "a".repeat(253);
    for name in ["team-12", "prod", "kube-system", "", &longest] {
        list.covers(name);
    }
    true
}

/// A template of a SealedSecret over values that are secret.
fn go_template(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else {
        return false;
    };
    let template = match Template::parse(text, &mut { MOST_PARTS }) {
        Ok(template) => template,
        Err(error) => {
            shows_nothing(&error);
            return false;
        }
    };
    let values = [
        ("a", "canary-1,x"),
        ("b-c", "canary-2"),
        ("d", " canary \n"),
    ];
    let values = values.map(|(name, value)| (name.to_owned(), SecretBytes::from(value)));
    match template.render(&values.into()) {
        Ok(made) => made.len() <= MOST_UNFOLDED,
        Err(error) => {
            shows_nothing(&error);
            false
        }
    }
}

fn names_differ(node: &Node) {
    if let Node::Map(entries) = node {
        let mut names: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        assert!(
            names.windows(2).all(|pair| pair[0] != pair[1]),
            "a name twice"
        );
        entries.iter().for_each(|(_, node)| names_differ(node));
    }
}
