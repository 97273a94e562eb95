#include "tls/names.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>

#include <ctime>

#include "tls/openssl.h"

namespace lattice::tls {
namespace {

using GeneralNamesPtr = std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES_free>>;

// What Go and browsers would print of it; everything else is told by its number.
std::string utf8(const ASN1_STRING* text) {
  unsigned char* bytes = nullptr;
  const int size = ASN1_STRING_to_UTF8(&bytes, text);
  if (size < 0) return {};
  std::string copy(reinterpret_cast<char*>(bytes), static_cast<size_t>(size));
  OPENSSL_free(bytes);
  // "root\0.example" must not be taken for "root" by anybody.
  return copy.find('\0') == std::string::npos ? copy : std::string();
}

std::string common_name_of(const X509* certificate) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  int at = -1;
  int last = -1;
  // The last one counts, as it does for Go.
  while ((at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0) last = at;
  if (last < 0) return {};
  return utf8(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, last)));
}

std::string address_text(const ASN1_OCTET_STRING* address) {
  char text[INET6_ADDRSTRLEN] = {};
  const int size = ASN1_STRING_length(address);
  if (size != 4 && size != 16) return {};
  inet_ntop(size == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(address), text, sizeof text);
  return text;
}

void add(std::vector<std::string>* to, std::string name) {
  if (!name.empty()) to->push_back(std::move(name));
}

}  // namespace

bool is_address(const std::string& host) {
  in6_addr address{};
  return inet_pton(AF_INET, host.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

Names names_of(const X509* certificate) {
  Names names;
  names.common_name = common_name_of(certificate);
  const GeneralNamesPtr alternatives(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  const int count = alternatives == nullptr ? 0 : sk_GENERAL_NAME_num(alternatives.get());
  for (int i = 0; i < count; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(alternatives.get(), i);
    if (name->type == GEN_DNS) add(&names.dns_names, utf8(name->d.dNSName));
    if (name->type == GEN_URI) add(&names.uris, utf8(name->d.uniformResourceIdentifier));
    if (name->type == GEN_IPADD) add(&names.addresses, address_text(name->d.iPAddress));
  }
  return names;
}

std::string Names::describe() const {
  std::string text;
  for (const auto* list : {&dns_names, &addresses, &uris}) {
    for (const std::string& name : *list) text += (text.empty() ? "" : ", ") + name;
  }
  if (text.empty()) text = common_name.empty() ? "no name" : "no name but CN=" + common_name;
  return text;
}

int64_t expiry_of(const X509* certificate) {
  tm time{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &time) != 1) return 0;
  return timegm(&time);
}

}  // namespace lattice::tls
