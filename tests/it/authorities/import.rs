//! The certificate of an intermediate, as others send it: what is taken, and what is not.

use serde_json::{Value, json};

use super::{Pki, done, openssl, own_pem, path_of, text};
use crate::harness::{Appliance, Reply};

/// A CA of OpenSSL's.
struct Outside<'a, 'b> {
    pki: &'a Pki<'b>,
    key: String,
    certificate: String,
}

impl<'a, 'b> Outside<'a, 'b> {
    fn new(pki: &'a Pki<'b>, name: &str) -> Self {
        let generated = openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout"]).stdout;
        let key = pki.file(&format!("{name}.key"), generated).to_str().unwrap().to_owned();
        let subject = format!("/CN={name}");
        let args = ["req", "-x509", "-new", "-key", &key, "-subj", &subject, "-days", "30"];
        let made = openssl(&[&args[..], &["-addext", "keyUsage=critical,keyCertSign,cRLSign"]].concat());
        let certificate = text(&done(made).stdout);
        Self { pki, key, certificate }
    }

    /// Signs the CSR of an intermediate with these extensions.
    fn sign(&self, csr: &str, extensions: &str, days: &[&str]) -> String {
        let csr = self.pki.file("to-be-signed.csr", csr);
        let ca = self.pki.file("outside.pem", &self.certificate);
        let extensions = self.pki.file("extensions.cnf", extensions);
        let args = [
            "x509",
            "-req",
            "-in",
            csr.to_str().unwrap(),
            "-CA",
            ca.to_str().unwrap(),
            "-CAkey",
            &self.key,
            "-CAcreateserial",
            "-extfile",
            extensions.to_str().unwrap(),
        ];
        text(&done(openssl(&[&args[..], days].concat())).stdout)
    }
}

const CA: &str =
    "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n";

fn csr_of(pki: &Pki<'_>, authority: &Value) -> String {
    text(&pki.service.get(&format!("{}/csr", path_of(authority))).expect(200).bytes)
}

fn import(pki: &Pki<'_>, authority: &Value, pem: &str) -> Reply {
    pki.service.put(&format!("{}/certificate", path_of(authority)), "application/x-pem-file", pem.as_bytes())
}

#[test]
fn the_csr_of_an_intermediate_asks_for_a_ca_and_is_signed_once() {
    let appliance = Appliance::new();
    let pki = Pki::start(&appliance);
    let intermediate = pki.authority("issuing", json!({ "kind": "intermediate", "path_length": 0 }));
    let csr = csr_of(&pki, &intermediate);
    let said = crate::openssl::verified_text(&csr);
    for part in [
        "CA:TRUE, pathlen:0",
        "Basic Constraints: critical",
        "Key Usage: critical",
        "Certificate Sign, CRL Sign",
        "Subject Key Identifier",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(csr_of(&pki, &intermediate), csr, "the same signature");
    let listed = pki.service.get("/csrs").expect(200).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 0, "CSRs of authorities are on no list");
    let root = pki.authority("root", json!({}));
    pki.service.get(&format!("{}/csr", path_of(&root))).problem(422, "authority.root");
}

#[test]
fn a_certificate_of_another_ca_is_taken_with_its_chain_and_once_more() {
    let appliance = Appliance::new();
    let pki = Pki::start(&appliance);
    let outside = Outside::new(&pki, "Outside Root");
    let intermediate = pki.authority("issuing", json!({ "kind": "intermediate" }));
    let signed = outside.sign(&csr_of(&pki, &intermediate), CA, &["-days", "20"]);
    let taken = import(&pki, &intermediate, &format!("{}{signed}", outside.certificate)).expect(200).json();
    assert_eq!((&taken["status"], &taken["parent"]), (&json!("active"), &Value::Null));
    let again = import(&pki, &intermediate, &signed).expect(200).json();
    assert_eq!(again["certificates"].as_array().unwrap().len(), 1, "the same certificate");
    let leaf = pki.issue(&taken, "www.example.com");
    let root = json!({ "certificates": [{ "certificate": outside.certificate }] });
    let verified = pki.verify(&root, &leaf, &[]);
    assert!(verified.status.success(), "{}", text(&verified.stderr));
    let path = format!("{}/renew", path_of(&taken));
    pki.service.post(&path, &json!({})).problem(409, "authority.foreign-parent");
}

#[test]
fn what_is_no_certificate_for_the_authority_is_refused() {
    let appliance = Appliance::new();
    let pki = Pki::start(&appliance);
    let (outside, stranger) = (Outside::new(&pki, "Outside Root"), Outside::new(&pki, "Stranger"));
    let intermediate = pki.authority("issuing", json!({ "kind": "intermediate" }));
    let csr = csr_of(&pki, &intermediate);
    let good = outside.sign(&csr, CA, &["-days", "20"]);

    let another = outside.sign(&pki.csr("/CN=x", &[]), CA, &["-days", "20"]);
    import(&pki, &intermediate, &another).problem(422, "certificate.key-mismatch");
    let broken =
        import(&pki, &intermediate, &format!("{good}{}", stranger.certificate)).problem(400, "input.invalid");
    assert_eq!(broken["errors"][0]["field"], "certificate", "{broken:#}");
    let ended = outside.sign(&csr, CA, &["-days", "-1"]);
    import(&pki, &intermediate, &ended).problem(422, "certificate.expired");
    let leaf = outside.sign(&csr, "basicConstraints=critical,CA:FALSE\n", &["-days", "20"]);
    import(&pki, &intermediate, &leaf).problem(422, "certificate.not-a-ca");
    let no_signing = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,digitalSignature\n";
    let unfit = outside.sign(&csr, no_signing, &["-days", "20"]);
    import(&pki, &intermediate, &unfit).problem(422, "certificate.not-a-ca");
    let no_lists = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n";
    let unfit = outside.sign(&csr, no_lists, &["-days", "20"]);
    import(&pki, &intermediate, &unfit).problem(422, "certificate.not-a-ca");
    import(&pki, &intermediate, "no certificate").problem(400, "input.invalid");
    let root = pki.authority("root", json!({}));
    import(&pki, &root, &own_pem(&root)).problem(422, "authority.root");
    let still = pki.service.get(&path_of(&intermediate)).expect(200).json();
    assert_eq!(still["status"], "pending-certificate");
    import(&pki, &intermediate, &good).expect(200);
}
