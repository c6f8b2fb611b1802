//! `https://` upstreams: who is trusted, under which name, and with which certificate of ours.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use seriesgate::config;
use seriesgate::egress::{Client, EgressError, Reply};
use seriesgate::telemetry::{EgressMetrics, Registry};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;

use crate::upstream::{Gate, Upstream, answer, http, ok, settings, unavailable};

/// A certificate authority and a directory for what it signs.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer, directory: TempDir::new().unwrap() }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn ca_file(&self) -> PathBuf {
        self.file("ca.pem", &self.issuer.pem())
    }

    fn sign(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// An upstream with a certificate for `name`; wants one from us if `clients` is given.
    async fn serve(&self, name: &str, clients: Option<&Authority>) -> Upstream {
        let (certificate, key) = self.sign(name);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.issuer.der().clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        Upstream::start_with(vec![ok()], Some(TlsAcceptor::from(Arc::new(config)))).await
    }
}

fn https(upstream: &Upstream, tls: config::Tls) -> config::Upstream {
    config::Upstream { tls, ..settings(format!("https://{}/api/v1/write", upstream.address)) }
}

fn trusting(authority: &Authority) -> config::Tls {
    config::Tls { ca_file: Some(authority.ca_file()), ..config::Tls::default() }
}

#[tokio::test]
async fn an_authority_from_a_file_is_trusted_and_the_connection_is_kept() {
    let authority = Authority::new();
    let upstream = authority.serve("127.0.0.1", None).await;
    let gate = Gate::new(&https(&upstream, trusting(&authority)));
    assert_eq!(gate.send().await, Reply::Accepted);
    assert_eq!(gate.send().await, Reply::Accepted);
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn any_other_authority_is_not() {
    let authority = Authority::new();
    let upstream = authority.serve("127.0.0.1", None).await;
    for tls in [trusting(&Authority::new()), config::Tls::default()] {
        let gate = Gate::new(&https(&upstream, tls));
        let cause = unavailable(gate.send().await);
        assert!(cause.contains("signed by an authority we do not trust (tls.ca_file)"), "{cause}");
        assert_eq!((gate.counted("requests", Some(0)), gate.counted("bytes", None)), (1, 0));
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn the_name_to_verify_can_be_set() {
    let authority = Authority::new();
    let upstream = authority.serve("backend.example", None).await;
    let cause = unavailable(Gate::new(&https(&upstream, trusting(&authority))).send().await);
    assert!(cause.contains("for another name (tls.server_name)"), "{cause}");

    let tls = config::Tls { server_name: Some("backend.example".to_owned()), ..trusting(&authority) };
    assert_eq!(Gate::new(&https(&upstream, tls)).send().await, Reply::Accepted);
}

#[tokio::test]
async fn skipping_verification_skips_authority_and_name() {
    let upstream = Authority::new().serve("backend.example", None).await;
    let tls = config::Tls { insecure_skip_verify: true, ..config::Tls::default() };
    assert_eq!(Gate::new(&https(&upstream, tls)).send().await, Reply::Accepted);
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_one_is_wanted() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let upstream = authority.serve("127.0.0.1", Some(&clients)).await;
    let with_certificate_of = |clients: &Authority| {
        let (certificate, key) = clients.sign("gate");
        config::Tls {
            cert_file: Some(clients.file("gate.pem", &certificate.pem())),
            key_file: Some(clients.file("gate.key", &key.serialize_pem())),
            ..trusting(&authority)
        }
    };
    let gate = Gate::new(&https(&upstream, with_certificate_of(&clients)));
    assert_eq!(gate.send().await, Reply::Accepted);

    let cause = unavailable(Gate::new(&https(&upstream, trusting(&authority))).send().await);
    assert!(cause.contains("wants a client certificate"), "{cause}");

    let gate = Gate::new(&https(&upstream, with_certificate_of(&Authority::new())));
    let cause = unavailable(gate.send().await);
    assert!(cause.contains("refuses our client certificate"), "{cause}");
}

#[tokio::test]
async fn the_wrong_scheme_is_recognised() {
    let plain = Upstream::start(vec![answer("400 Bad Request", "", "")]).await;
    let mut settings = http(plain.address);
    settings.url = settings.url.replace("http://", "https://");
    settings.timeout = std::time::Duration::from_millis(500);
    unavailable(Gate::new(&settings).send().await);

    let authority = Authority::new();
    let encrypted = authority.serve("127.0.0.1", None).await;
    unavailable(Gate::new(&http(encrypted.address)).send().await);
}

#[test]
fn files_that_cannot_be_used_are_named_with_their_key() {
    let authority = Authority::new();
    let (certificate, _) = authority.sign("gate");
    let (_, other_key) = authority.sign("gate");
    let refused = |tls: config::Tls| -> EgressError {
        let settings = config::Upstream { tls, ..settings("https://backend/write".to_owned()) };
        let metrics = Arc::new(EgressMetrics::new(&Arc::new(Registry::default()), "primary"));
        Client::new(&settings, metrics, 0).err().unwrap()
    };
    let ca = |path| config::Tls { ca_file: Some(path), ..config::Tls::default() };
    let missing = refused(ca(authority.directory.path().join("none.pem"))).to_string();
    assert!(missing.starts_with("tls.ca_file: ") && missing.contains("No such file"), "{missing}");
    let empty = refused(ca(authority.file("empty.pem", "nothing here"))).to_string();
    assert!(empty.ends_with("holds no PEM block of the kind expected"), "{empty}");

    let cert_file = Some(authority.file("gate.pem", &certificate.pem()));
    let half = config::Tls { cert_file: cert_file.clone(), ..config::Tls::default() };
    assert!(matches!(refused(half), EgressError::HalfClientCertificate));
    let key_file = Some(authority.file("other.key", &other_key.serialize_pem()));
    let mismatch = config::Tls { cert_file, key_file, ..config::Tls::default() };
    assert!(matches!(refused(mismatch), EgressError::Tls(_)));
    let name = config::Tls { server_name: Some("not a name".to_owned()), ..config::Tls::default() };
    assert!(matches!(refused(name), EgressError::ServerName(_)));
}

/// Run by the test below, in a process of its own with another set of roots.
#[tokio::test]
#[ignore = "needs SSL_CERT_FILE to name the authority of SERIESGATE_TEST_UPSTREAM"]
async fn a_machine_that_trusts_the_authority() {
    let url = std::env::var("SERIESGATE_TEST_UPSTREAM").unwrap();
    let with = |tls| config::Upstream { tls, ..settings(url.clone()) };
    let cause = unavailable(Gate::new(&with(config::Tls::default())).send().await);
    assert!(cause.contains("an authority we do not trust"), "{cause}");
    let tls = config::Tls { system_roots: true, ..config::Tls::default() };
    assert_eq!(Gate::new(&with(tls)).send().await, Reply::Accepted);
}

#[tokio::test]
async fn the_authorities_of_the_machine_are_trusted_where_that_is_wanted() {
    let authority = Authority::new();
    let upstream = authority.serve("127.0.0.1", None).await;
    let empty = authority.file("empty.pem", "");
    for (roots, is_well) in [(authority.ca_file(), true), (empty, false)] {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "tls::a_machine_that_trusts_the_authority", "--ignored"]);
        command.env("SSL_CERT_FILE", roots).env_remove("SSL_CERT_DIR");
        command.env("SERIESGATE_TEST_UPSTREAM", format!("https://{}/api/v1/write", upstream.address));
        let run = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let said = String::from_utf8_lossy(&run.stdout) + String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.success(), is_well, "{said}");
        assert!(said.contains(if is_well { "1 passed" } else { "SystemRoots" }), "{said}");
    }
}
