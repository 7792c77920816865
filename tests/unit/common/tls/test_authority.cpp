#include "tests/unit/common/tls/test_authority.hpp"

#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/rsa.h>

#include <stdexcept>

#include "common/core/address.hpp"

namespace tunnel::tls::test {

namespace {

void check(int result) {
    if (result != 0) throw std::runtime_error(mbed::describe(result));
}

void generate(mbed::Key& key, KeyType type) {
    if (type == KeyType::ecdsa) {
        check(mbedtls_pk_setup(key.get(), mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)));
        check(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key.get()), mbed::random_bytes,
                                  nullptr));
    } else {
        check(mbedtls_pk_setup(key.get(), mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)));
        check(mbedtls_rsa_gen_key(mbedtls_pk_rsa(*key.get()), mbed::random_bytes, nullptr, 2048, 65537));
    }
}

Bytes alternative_name(const std::string& host) {
    Bytes entry;
    if (const auto ip = parse_ip(host)) {
        const BytesView address = BytesView(ip->bytes).last(ip->is_v4() ? 4 : 16);
        entry = {0x87, static_cast<Byte>(address.size())};
        append(entry, address);
    } else {
        entry = {0x82, static_cast<Byte>(host.size())};
        append(entry, view_of(host));
    }
    Bytes out{0x30, static_cast<Byte>(entry.size())};
    append(out, entry);
    return out;
}

}  // namespace

Authority::Authority() {
    generate(key_, KeyType::ecdsa);
    certificate_ = write(key_, "CN=Test authority", LeafOptions{}, true);
}

Identity Authority::issue(const LeafOptions& options) {
    mbed::Key key;
    generate(key, options.key);
    Identity identity;
    std::array<Byte, 8192> text{};
    check(mbedtls_pk_write_key_pem(key.get(), text.data(), text.size()));
    identity.key_pem = Secret(view_of(reinterpret_cast<const char*>(text.data())));
    identity.certificate_pem = write(key, "CN=Test leaf", options, false);
    return identity;
}

std::string Authority::write(mbed::Key& subject_key, const std::string& subject, const LeafOptions& options,
                             bool is_ca) {
    mbed::CertificateWriter writer;
    mbedtls_x509write_crt_set_version(writer.get(), MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(writer.get(), MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(writer.get(), subject_key.get());
    mbedtls_x509write_crt_set_issuer_key(writer.get(), key_.get());
    check(mbedtls_x509write_crt_set_subject_name(writer.get(), subject.c_str()));
    check(mbedtls_x509write_crt_set_issuer_name(writer.get(), "CN=Test authority"));
    check(mbed::set_serial(writer, Bytes{0x42, is_ca ? Byte{1} : Byte{2}}));
    check(mbedtls_x509write_crt_set_validity(writer.get(), options.from.c_str(), options.until.c_str()));
    check(mbedtls_x509write_crt_set_basic_constraints(writer.get(), is_ca ? 1 : 0, -1));
    if (!is_ca) {
        const Bytes name = alternative_name(options.host);
        check(mbedtls_x509write_crt_set_extension(writer.get(), MBEDTLS_OID_SUBJECT_ALT_NAME,
                                                  MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME), 0,
                                                  name.data(), name.size()));
    }
    std::array<Byte, 8192> text{};
    check(mbedtls_x509write_crt_pem(writer.get(), text.data(), text.size(), mbed::random_bytes, nullptr));
    return reinterpret_cast<const char*>(text.data());
}

}  // namespace tunnel::tls::test
