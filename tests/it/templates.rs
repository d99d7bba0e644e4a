//! Issuing templates on the command line: what `template check` and `template try` say, and what the
//! ready-made ones grant and refuse.

use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Appliance, BINARY};

const WEB: &str = r#"version = 1
name = "web"
description = "Web servers of the shop"

[subject]
CN = { in_sans = true }
O = { fixed = "Example B.V." }
C = { default = "NL", patterns = ["NL|BE"] }

[sans]
min = 1
max = 10

[sans.DNS]
domains = [{ name = "shop.example", subdomains = true }]

[keys]
kinds = ["ec-p256", "rsa-3072"]

[extensions]
allowed = ["tls_features"]

[extensions.set]
key_usage = ["digitalSignature"]
extended_key_usage = ["serverAuth"]

[validity]
default = 90
max = 200
"#;

/// A directory with the template, in which commands are run: no configuration, no service.
fn directory() -> TempDir {
    let dir = TempDir::new().unwrap();
    std::fs::create_dir(dir.path().join("templates")).unwrap();
    std::fs::write(dir.path().join("templates/web.toml"), WEB).unwrap();
    dir
}

fn strongroom(dir: &TempDir, args: &[&str]) -> Output {
    let nowhere = dir.path().join("nowhere.toml");
    Command::new(BINARY)
        .args(args)
        .current_dir(dir.path())
        .env("STRONGROOM_CONFIG", nowhere)
        .output()
        .unwrap()
}

/// What is typed and what is seen.
fn session(dir: &TempDir, commands: &[&str]) -> String {
    let seen = commands.iter().map(|command| {
        let output = strongroom(dir, &command.split_whitespace().collect::<Vec<_>>());
        let said = [output.stdout, output.stderr].concat();
        let code = output.status.code().unwrap();
        format!("$ strongroom {command}\n{}[{code}]\n", String::from_utf8(said).unwrap())
    });
    seen.collect::<Vec<_>>().join("\n")
}

const TRIED: [&str; 2] = [
    "template try templates/web.toml --subject CN=www.shop.example --san DNS:www.shop.example --must-staple",
    "template try templates/web.toml --subject CN=www.shop.example,O=Else,OU=Sales --san DNS:evil.example \
     --san IP:192.0.2.1 --kind ec-p384 --key-usage keyCertSign --days 365",
];

#[test]
fn what_a_request_would_get_is_shown() {
    let dir = directory();
    let commands = [
        "template check templates/web.toml",
        TRIED[0],
        TRIED[1],
        "template try templates/web.toml --san DNS:shop.example --kind rsa-3072 --token hsm2 --padding pss --json",
        "template try templates/web.toml --san DNS:*.shop.example --with-challenge-password --json",
        "template try templates/web.toml --san DNS:shop.example --kind ec-p256 --token main --reuse-key",
        "template try templates/web.toml --subject CN --san DNS: --kind ec --digest md5 --policy x",
        "template try templates/web.toml --reuse-key",
        "template check web",
        "template check templates/none.toml",
    ];
    insta::assert_snapshot!(session(&dir, &commands));
}

#[test]
fn the_template_is_printed_with_its_defaults_for_machines() {
    let dir = directory();
    let output = strongroom(&dir, &["template", "check", "templates/web.toml", "--json"]);
    let template: Value = serde_json::from_slice(&output.stdout).unwrap();
    insta::assert_json_snapshot!(template);
}

#[test]
fn the_documentation_shows_what_is_printed() {
    let documented = include_str!("../../docs/templates.md");
    assert!(documented.contains(WEB), "the example");
    let dir = directory();
    for command in TRIED {
        let seen = session(&dir, &[command]);
        let (typed, rest) = seen.split_once('\n').unwrap();
        let (printed, _) = rest.rsplit_once('[').unwrap();
        assert!(documented.contains(printed), "docs/templates.md is to show\n{typed}\n{printed}");
    }
}

#[test]
fn a_wrong_template_is_told_with_its_line_or_field() {
    let dir = directory();
    let mut commands = Vec::new();
    for (name, from, to) in [
        ("regex", "\"NL|BE\"", "\"NL|(\""),
        ("typo", "in_sans", "in_san"),
        ("version", "version = 1", "version = 2"),
        ("contradictions", "max = 10", "max = 0"),
        ("default", "default = \"NL\"", "default = \"DE\""),
    ] {
        std::fs::write(dir.path().join(format!("{name}.toml")), WEB.replace(from, to)).unwrap();
        commands.push(format!("template check {name}.toml"));
    }
    let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
    insta::assert_snapshot!(session(&dir, &commands));
}

#[test]
fn a_ready_made_template_grants_what_is_typical_and_refuses_what_is_not() {
    let dir = directory();
    for (template, good, bad, rules) in [
        (
            "tls-server",
            "--subject CN=www.example.com,O=Example --san DNS:www.example.com --san IP:192.0.2.1 --must-staple",
            "--subject CN=other.example.com --san DNS:www.example.com --eku clientAuth --days 397",
            &["subject.cn.in-sans", "extension.set", "validity.too-long"][..],
        ),
        (
            "tls-client",
            "--subject CN=billing-7,OU=Payments --san URI:spiffe://example.org/billing",
            "--san URI:https://example.org/",
            &["subject.cn.required", "san.uri.pattern"],
        ),
        (
            "code-signing",
            "--subject CN=Example,O=Example,C=NL --kind rsa-4096",
            "--subject CN=Example --san DNS:example.com --kind rsa-2048",
            &["subject.c.required", "subject.o.required", "san.dns.refused", "key.kind"],
        ),
        (
            "s-mime",
            "--subject CN=a@example.com --san email:a@example.com --kind rsa-3072 --token main --reuse-key",
            "--subject CN=Alice --san DNS:example.com --kind ec-p256",
            &["subject.cn.in-sans", "san.dns.refused", "san.email.required", "key.kind"],
        ),
        (
            "intermediate-ca",
            "--subject CN=Sub,O=Example,C=NL --ca --path-length 0 --permit DNS:example.com",
            "--subject CN=Sub,O=Example,C=NL --ca --path-length 1 --kind rsa-2048",
            &["extension.set", "key.kind"],
        ),
        (
            "iot-device",
            "--subject serialNumber=A1B2-0007,CN=sensor.7 --san URI:urn:dev:mac:0024befffe804ff1",
            "--subject CN=sensor --san email:a@example.com --kind rsa-2048",
            &["subject.serialnumber.required", "san.email.refused", "key.kind"],
        ),
    ] {
        let tried = |wish: &str| {
            let mut args = vec!["template", "try", template, "--json"];
            args.extend(wish.split_whitespace());
            strongroom(&dir, &args)
        };
        let granted = tried(good);
        let said = String::from_utf8_lossy(&granted.stderr);
        assert_eq!(granted.status.code(), Some(0), "{template} {good}: {said}");
        let got: Value = serde_json::from_slice(&granted.stdout).unwrap();
        let is_approved = matches!(template, "code-signing" | "intermediate-ca");
        assert_eq!(got["approval"].is_object(), is_approved, "{template}: {got}");

        let refused = tried(bad);
        assert_eq!(refused.status.code(), Some(1), "{template} {bad}");
        let told: Value = serde_json::from_slice(&refused.stderr).unwrap();
        let broken: Vec<&str> = told["broken"]
            .as_array()
            .unwrap()
            .iter()
            .map(|broken| broken["rule"].as_str().unwrap())
            .collect();
        assert_eq!(broken, rules, "{template} {bad}");
    }
}

#[test]
fn the_configuration_is_checked_with_its_templates() {
    let appliance = Appliance::without_token();
    std::fs::create_dir(appliance.path("templates")).unwrap();
    let config = format!(
        "{}\n[templates]\ndir = \"templates\"\nready_made = [\"tls-server\"]\n",
        appliance.config_text()
    );
    appliance.write_private("strongroom.toml", &config);
    appliance.write_private("templates/web.toml", WEB);
    let checked = appliance.cli(&["check-config", "--json"]);
    let checked: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(checked["templates"], json!(["tls-server", "web"]));

    appliance
        .write_private("templates/web.toml", &WEB.replace("version = 1", "version = 1\ntoken = \"vault\""));
    let refused = appliance.cli(&["check-config"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("templates/web.toml: token: there is no [tokens.vault]"), "{said}");
}
