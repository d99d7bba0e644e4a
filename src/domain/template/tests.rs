use super::*;

/// The smallest template, in which every test changes what it is about.
pub(in crate::domain) const SMALLEST: &str =
    "version = 1\nname = \"t\"\n[subject]\nCN = {}\n[keys]\nkinds = [\"ec-p256\"]\n";

fn error(text: &str) -> String {
    Template::from_toml(text).expect_err(text).to_string()
}

#[test]
fn what_is_left_out_has_a_default_that_refuses() {
    let template = Template::from_toml(SMALLEST).unwrap();
    assert_eq!(template.subject.unlisted, Permission::Refused);
    assert!(template.sans.kinds.is_empty());
    assert_eq!(template.keys.default.name(), "ec-p256");
    assert_eq!(template.keys.schemes, ["ecdsa-sha256".parse().unwrap()]);
    assert_eq!(template.keys.reuse, Permission::Refused);
    assert_eq!(template.extensions, ExtensionRules::default());
    assert_eq!(template.attributes.challenge_password, Presence::Refused);
    assert_eq!((template.approval, template.tenant, template.token), (None, None, None));
}

#[test]
fn what_is_written_is_told_with_its_line() {
    for (text, line, expected) in [
        (SMALLEST.replace("CN = {}", "CN = { requierd = true }"), 4, "unknown field `requierd`"),
        (SMALLEST.replace("CN = {}", "CM = {}"), 4, "`CM` is no known attribute type"),
        (
            SMALLEST.replace("CN = {}", "CN = {}\ncommonName = {}"),
            5,
            "CN has rules under another of its names",
        ),
        (SMALLEST.replace("CN = {}", "CN = { patterns = ['('] }"), 4, "unclosed group"),
        (SMALLEST.replace("ec-p256", "ec-p224"), 6, "`ec-p224` is not a known key kind"),
        (format!("{SMALLEST}[sans.dns]\n"), 7, "unknown field `dns`"),
        (format!("{SMALLEST}[sans.DNS]\ndomains = [{{ name = \"*.a.example\" }}]\n"), 8, "wildcards = true"),
        (format!("{SMALLEST}[sans.IP]\nnetworks = [\"10.0.0.1/8\"]\n"), 8, "has bits behind the first 8"),
        (format!("{SMALLEST}[extensions]\nallowed = [\"2.5.29.15\"]\n"), 8, "extensions.key_usage"),
        (format!("{SMALLEST}[extensions.set]\nkey_usage = [\"signing\"]\n"), 8, "signing"),
        (SMALLEST.replace("name = \"t\"", "name = 1"), 2, "expected a string"),
    ] {
        let error = error(&text);
        assert!(error.contains(&format!("line {line},")) && error.contains(expected), "{text}\n{error}");
    }
}

#[test]
fn another_version_is_told_even_with_unknown_fields() {
    assert_eq!(
        error("version = 2\nfuture = true"),
        "version = 2: this version of strongroom reads templates of version = 1"
    );
    assert!(error("name = \"t\"").contains("missing field `version`"));
}

#[test]
fn a_rule_that_contradicts_another_is_refused() {
    let cn = |rules: &str| SMALLEST.replace("CN = {}", &format!("CN = {{ {rules} }}"));
    let more = |text: &str| format!("{SMALLEST}{text}\n");
    let named = |name: &str| SMALLEST.replace("\"t\"", &format!("{name:?}"));
    let keys = |text: &str| SMALLEST.replace("kinds = [\"ec-p256\"]", text);
    let too_long = "a".repeat(65);
    for (text, expected) in [
        (named("a/b"), "name: `a/b`"),
        (named(""), "name: ``"),
        (named("-a"), "name: `-a`"),
        (named(&too_long), "name: `aaa"),
        (format!("token = \"\"\n{SMALLEST}"), "token: is empty"),
        (more("[approval]\nby = [\"alice\"]"), "approval.by: names who approves, but `required` is not true"),
        (cn("fixed = \"a\", default = \"b\""), "subject.CN.default: is never used beside `fixed`"),
        (cn("fixed = \"a\", max = 0"), "subject.CN.fixed: contradicts `max = 0`"),
        (cn("required = true, max = 0"), "subject.CN.required: contradicts `max = 0`"),
        (cn("default = \"a\", max = 0"), "subject.CN.default: contradicts `max = 0`"),
        (cn("default = \"ab\", patterns = [\"a\"]"), "subject.CN.default: `ab` matches none of `patterns`"),
        (cn("fixed = \"b\", patterns = [\"a\"]"), "subject.CN.fixed: `b` matches none of `patterns`"),
        (
            SMALLEST.replace("CN = {}", "C = { fixed = \"NLD\" }"),
            "subject.C.fixed: the value has 3 characters",
        ),
        (cn("in_sans = true"), "subject.CN.in_sans: asks for a name in `sans`, which allow none"),
        (SMALLEST.replace("CN = {}", ""), "subject: and `sans` allow no name at all"),
        (cn("max = 0"), "subject: and `sans` allow no name at all"),
        (more("[sans]\nmin = 2\nmax = 1\nDNS = {}"), "sans.min: is 2, more than `sans.max`, which is 1"),
        (more("[sans]\nmax = 101"), "sans.max: is 101; a CSR has at most 100"),
        (more("[sans]\nmin = 1"), "sans.min: is 1, but the kinds allow 0 at most"),
        (more("[sans]\nmin = 2\nDNS = { max = 1 }"), "sans.min: is 2, but the kinds allow 1 at most"),
        (
            more("[sans]\nmax = 1\nDNS = { required = true }\nIP = { required = true }"),
            "sans.max: is 1, but 2 kinds are required",
        ),
        (more("[sans]\nDNS = { required = true, max = 0 }"), "sans.DNS.required: contradicts `max = 0`"),
        (
            more("[sans]\nURI = { domains = [{ name = \"a.example\" }] }"),
            "sans.URI.domains: only DNS and email",
        ),
        (more("[sans]\nDNS = { networks = [\"10.0.0.0/8\"] }"), "sans.DNS.networks: only IP addresses"),
        (
            more("[sans]\nDNS = { domains = [{ name = \"a.example\", exact = false }] }"),
            "sans.DNS.domains[0]: allows no name",
        ),
        (
            more("[sans]\nemail = { domains = [{ name = \"a.example\", wildcards = true }] }"),
            "sans.email.domains[0]: an e-mail address has no wildcard",
        ),
        (keys("kinds = []"), "keys.kinds: must name at least one key kind"),
        (keys("kinds = [\"ec-p256\", \"ec-p256\"]"), "keys.kinds[1]: ec-p256 is there twice"),
        (
            keys("kinds = [\"ec-p256\"]\ndefault = \"ed25519\""),
            "keys.default: `ed25519` is none of `keys.kinds`",
        ),
        (
            keys("kinds = [\"ec-p256\", \"rsa-2048\"]\nschemes = [\"ecdsa-sha256\"]"),
            "keys.schemes: have none for rsa-2048 keys",
        ),
        (
            keys("kinds = [\"ec-p256\"]\nschemes = [\"ecdsa-sha256\", \"ed25519\"]"),
            "keys.schemes: `ed25519` is of no key kind in `keys.kinds`",
        ),
        (
            more("[extensions]\nrefused = [\"key_usage\"]\nset.key_usage = [\"digitalSignature\"]"),
            "extensions.refused: key_usage is set",
        ),
        (
            more("[extensions]\nallowed = [\"key_usage\"]\nset.key_usage = [\"digitalSignature\"]"),
            "extensions.allowed: key_usage is set",
        ),
        (
            more("[extensions]\nallowed = [\"1.2.3\"]\nrefused = [\"1.2.3\"]"),
            "extensions.refused: 1.2.3 is allowed as well",
        ),
        (
            more("[extensions.set]\nkey_usage = [\"keyCertSign\"]"),
            "extensions.set.key_usage: keyCertSign needs basic_constraints",
        ),
        (
            more("[extensions.set]\nkey_usage = [\"keyEncipherment\"]"),
            "extensions.set.key_usage: ec-p256 keys, which `keys.kinds` allows: an EC key cannot be used for keyEncipherment",
        ),
        (more("[validity]\nmin = 0"), "validity.min: must be at least 1"),
        (more("[validity]\nmin = 9\nmax = 8"), "validity.min: is 9, more than `validity.max`, which is 8"),
        (more("[validity]\ndefault = 9\nmax = 8"), "validity.default: 9 is not within"),
    ] {
        assert!(Template::from_toml(&text).is_err(), "{text}");
        let error = error(&text);
        assert!(error.lines().any(|line| line.starts_with(expected)), "{text}\n{error}");
    }
}

#[test]
fn every_contradiction_is_told_at_once() {
    let text =
        SMALLEST.replace("CN = {}", "CN = { default = \"ab\", patterns = [\"a\"] }\nC = { fixed = \"N\" }");
    let error = error(&format!("{text}[validity]\nmin = 0\n"));
    assert_eq!(error.lines().count(), 3, "{error}");
}

#[test]
fn a_domain_allows_the_forms_that_it_names() {
    let domain =
        |exact, subdomains, wildcards| Domain { name: "b.example".to_owned(), exact, subdomains, wildcards };
    let hosts =
        ["b.example", "a.b.example", "*.b.example", "*.a.b.example", "ab.example", "example", "*.example"];
    for (domain, allowed) in [
        (domain(true, false, false), &hosts[..1]),
        (domain(false, true, false), &hosts[1..2]),
        (domain(false, false, true), &hosts[2..3]),
        (domain(true, true, true), &hosts[..4]),
        (domain(true, true, false), &hosts[..2]),
    ] {
        let found: Vec<&str> = hosts.iter().copied().filter(|host| domain.has(host)).collect();
        assert_eq!(found, allowed, "{domain:?}");
    }
}

#[test]
fn a_tenant_may_use_its_own_templates_and_those_of_nobody() {
    let named = |name: &str, tenant: &str| {
        let text = SMALLEST.replace("\"t\"", &format!("{name:?}\n{tenant}"));
        Template::from_toml(&text).unwrap()
    };
    let templates: Templates =
        [named("shared", ""), named("retail-web", "tenant = \"retail\"")].into_iter().collect();
    let usable = |tenant| -> Vec<&str> {
        ["retail-web", "shared", "unknown"]
            .into_iter()
            .filter(|name| templates.for_tenant(tenant, name).is_some())
            .collect()
    };
    assert_eq!(usable("retail"), ["retail-web", "shared"]);
    assert_eq!(usable("wholesale"), ["shared"]);
    assert_eq!(templates.iter().count(), 2);
}
