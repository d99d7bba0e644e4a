//! `strongroom ca`: a life of two authorities on the command line.

use serde_json::Value;

use super::{done, text};
use crate::harness::Appliance;

#[test]
fn two_authorities_are_made_issue_revoke_and_are_deleted_on_the_command_line() {
    let appliance = Appliance::new();
    let service = appliance.start_ready();
    let run = |args: &[&str]| text(&done(appliance.cli(&[&["ca"], args].concat())).stdout);
    let json =
        |args: &[&str]| -> Value { serde_json::from_str(&run(&[args, &["--json"]].concat())).unwrap() };
    let file = |name: &str, content: &str| {
        appliance.write_private(name, content);
        appliance.path(name).to_str().unwrap().to_owned()
    };

    run(&["new", "root", "--subject", "CN=root", "--kind", "ec-p384", "--days", "100"]);
    let made = run(&["new", "sub", "--intermediate", "--subject", "CN=sub", "--permit", "DNS:example.com"]);
    assert!(made.contains("strongroom ca csr sub"), "{made}");
    let csr = file("sub.csr", &run(&["csr", "sub"]));
    let chain = file("sub.pem", &run(&["issue", "root", &csr, "--intermediate", "--path-length", "0"]));
    assert_eq!(run(&["import", "sub", &chain]), "sub is active\n");
    assert_eq!(run(&["show", "sub", "--pem"]), std::fs::read_to_string(&chain).unwrap());

    let shop = service.create("www.example.com");
    let issued = json(&["issue", "sub", "--request", shop["handle"].as_str().unwrap()]);
    assert_eq!(issued["chain"].as_array().unwrap().len(), 2);
    let serial = issued["serial"].as_str().unwrap();
    let revoked = json(&["revoke", "sub", serial, "--reason", "superseded"]);
    assert_eq!(revoked["status"], "revoked");
    assert!(run(&["issued", "sub"]).contains(serial));
    assert_eq!(json(&["show", "sub"])["crl"]["entries"], 1);
    let list = appliance.cli(&["ca", "crl", "sub"]);
    assert_eq!(
        list.stdout,
        service.get(&format!("/authorities/{}/crl", issued["authority"].as_str().unwrap())).bytes
    );
    assert!(run(&["renew", "root", "--days", "200"]).starts_with("root is valid until "));
    assert_eq!(run(&["disable", "sub"]), "sub is disabled\n");
    assert_eq!(run(&["enable", "sub"]), "sub is active\n");
    let table = run(&["list"]);
    assert!(table.contains("root") && table.contains("intermediate"), "{table}");
    let refused = appliance.cli(&["ca", "delete", "sub"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert_eq!(run(&["delete", "sub", "--yes"]), "sub is deleted\n");
    let gone = appliance.cli(&["ca", "show", "sub"]);
    assert!(text(&gone.stderr).contains("there is no authority `sub`"), "{gone:?}");
}
