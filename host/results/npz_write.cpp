// Writing an .npz with libzip, from entries that are read as they are written, to wherever `put` writes.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <zip.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>

#include "npz.hpp"

namespace phasegrid {
namespace {

// 1980-01-01 00:00 as MS-DOS writes it, the first a zip can hold: the same bytes in every time zone.
constexpr zip_uint16_t kFixedTime = 0, kFixedDate = 0x21;

constexpr std::size_t kPiece = std::size_t{1} << 20;  // libzip asks for some kilobytes at a time

// What stands before the array's own bytes.
std::string npy_prefix(const NpzEntry& entry) {
  const std::string shape = fmt::format("({}{})", fmt::join(entry.shape, ", "), entry.shape.size() == 1 ? "," : "");
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}", entry.type, shape);
  // Version 1.0: magic, version and length take 10 bytes, and the data begins at a multiple of 64.
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::string prefix("\x93NUMPY\x01\x00", 8);
  prefix += static_cast<char>(header.size() & 0xff);
  prefix += static_cast<char>(header.size() >> 8);
  return prefix + header;
}

// What libzip calls for one end of the writing. An exception must not pass through libzip: it is kept, and libzip told
// of an error.
class Source {
 public:
  explicit Source(std::exception_ptr& failure) : failure_(failure) { zip_error_init(&error_); }
  virtual ~Source() { zip_error_fini(&error_); }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  static zip_int64_t call(void* self, void* data, zip_uint64_t size, zip_source_cmd_t command) {
    auto& source = *static_cast<Source*>(self);
    if (command == ZIP_SOURCE_ERROR) return zip_error_to_data(&source.error_, data, size);
    try {
      return source.answer(data, size, command);
    } catch (...) {
      if (!source.failure_) source.failure_ = std::current_exception();
      zip_error_set(&source.error_, ZIP_ER_INTERNAL, 0);
      return -1;
    }
  }

 protected:
  virtual zip_int64_t answer(void* data, zip_uint64_t size, zip_source_cmd_t command) = 0;
  zip_int64_t refuse() {
    zip_error_set(&error_, ZIP_ER_OPNOTSUPP, 0);
    return -1;
  }
  static zip_int64_t describe(void* data, std::uint64_t size) {
    auto& stat = *static_cast<zip_stat_t*>(data);
    zip_stat_init(&stat);
    stat.size = stat.comp_size = size;
    stat.comp_method = ZIP_CM_STORE;
    stat.encryption_method = ZIP_EM_NONE;
    stat.valid = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    return sizeof stat;
  }
  zip_error_t error_;

 private:
  std::exception_ptr& failure_;
};

// An entry's bytes: what stands before the array, and the array.
class EntrySource : public Source {
 public:
  EntrySource(const NpzEntry& entry, std::exception_ptr& failure)
      : Source(failure), entry_(entry), prefix_(npy_prefix(entry)) {}

 private:
  zip_int64_t answer(void* data, zip_uint64_t size, zip_source_cmd_t command) override {
    switch (command) {
      case ZIP_SOURCE_OPEN:
        at_ = 0;
        piece_.assign(reinterpret_cast<const std::byte*>(prefix_.data()),
                      reinterpret_cast<const std::byte*>(prefix_.data()) + prefix_.size());
        used_ = 0;
        return 0;
      case ZIP_SOURCE_READ:
        return read({static_cast<std::byte*>(data), size});
      case ZIP_SOURCE_CLOSE:
        piece_ = {};
        return 0;
      case ZIP_SOURCE_STAT:
        return describe(data, prefix_.size() + entry_.size);
      case ZIP_SOURCE_FREE:
        return 0;
      case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT,
                                              ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE, -1);
      default:
        return refuse();
    }
  }

  zip_int64_t read(std::span<std::byte> to) {
    if (used_ == piece_.size()) {
      piece_.resize(std::min<std::uint64_t>(kPiece, entry_.size - at_));
      used_ = 0;
      if (!piece_.empty()) entry_.read(at_, piece_);
      at_ += piece_.size();
    }
    const std::size_t count = std::min(to.size(), piece_.size() - used_);
    if (count > 0) std::memcpy(to.data(), piece_.data() + used_, count);
    used_ += count;
    return static_cast<zip_int64_t>(count);
  }

  const NpzEntry& entry_;
  const std::string prefix_;
  std::vector<std::byte> piece_;  // what was read, and of it what libzip has
  std::size_t used_ = 0;
  std::uint64_t at_ = 0;
};

// The file: empty when it is opened, and then written.
class Target : public Source {
 public:
  Target(const Put& put, std::exception_ptr& failure) : Source(failure), put_(put) {}
  std::uint64_t size() const { return size_; }

 private:
  zip_int64_t answer(void* data, zip_uint64_t size, zip_source_cmd_t command) override {
    switch (command) {
      case ZIP_SOURCE_OPEN:
      case ZIP_SOURCE_CLOSE:
      case ZIP_SOURCE_READ:
      case ZIP_SOURCE_SEEK:
      case ZIP_SOURCE_TELL:
      case ZIP_SOURCE_BEGIN_WRITE:
      case ZIP_SOURCE_FREE:
      case ZIP_SOURCE_ROLLBACK_WRITE:
      case ZIP_SOURCE_REMOVE:
        return 0;
      case ZIP_SOURCE_STAT:
        return describe(data, 0);
      case ZIP_SOURCE_WRITE:
        write({static_cast<const std::byte*>(data), size});
        return static_cast<zip_int64_t>(size);
      case ZIP_SOURCE_COMMIT_WRITE:
        flush();
        return 0;
      case ZIP_SOURCE_SEEK_WRITE: {
        const zip_int64_t place = zip_source_seek_compute_offset(at_ + waiting_.size(), size_, data, size, &error_);
        if (place < 0) return -1;
        flush();
        at_ = static_cast<std::uint64_t>(place);
        return 0;
      }
      case ZIP_SOURCE_TELL_WRITE:
        return static_cast<zip_int64_t>(at_ + waiting_.size());
      case ZIP_SOURCE_SUPPORTS:
        return ZIP_SOURCE_SUPPORTS_WRITABLE;
      default:
        return refuse();
    }
  }

  void write(std::span<const std::byte> bytes) {
    waiting_.insert(waiting_.end(), bytes.begin(), bytes.end());
    size_ = std::max(size_, at_ + waiting_.size());
    if (waiting_.size() >= kPiece) flush();
  }
  void flush() {
    if (!waiting_.empty()) put_(at_, waiting_);
    at_ += waiting_.size();
    waiting_.clear();
  }

  const Put& put_;
  std::vector<std::byte> waiting_;  // to be written from at_ on
  std::uint64_t at_ = 0, size_ = 0;
};

struct DiscardZip {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};

}  // namespace

NpzEntry entry_of(std::string key, NpyArray array) {
  const auto bytes = std::make_shared<const std::vector<std::byte>>(std::move(array.bytes));
  return {
      std::move(key), std::move(array.type), std::move(array.shape), bytes->size(),
      [bytes](std::uint64_t at, std::span<std::byte> to) { std::memcpy(to.data(), bytes->data() + at, to.size()); }};
}

std::vector<NpzEntry> entries_of(NpzArrays arrays) {
  std::vector<NpzEntry> entries;
  for (auto& [key, array] : arrays) entries.push_back(entry_of(std::move(key), std::move(array)));
  return entries;
}

std::size_t npz_size_bound(std::size_t arrays, std::size_t bytes) { return bytes + 1024 * (arrays + 1); }

std::uint64_t write_npz(const std::vector<NpzEntry>& entries, const Put& put) {
  std::exception_ptr failure;
  auto check = [&](bool good, const char* what) {
    if (failure) std::rethrow_exception(failure);
    if (!good) throw std::runtime_error(fmt::format("libzip: {} failed", what));  // out of memory: nothing else can
  };
  zip_error_t error;
  zip_error_init(&error);
  Target target(put, failure);
  std::vector<std::unique_ptr<EntrySource>> sources;  // libzip reads them in zip_close
  zip_source_t* whole = zip_source_function_create(Source::call, static_cast<Source*>(&target), &error);
  check(whole != nullptr, "zip_source_function_create");
  zip_t* opened = zip_open_from_source(whole, ZIP_TRUNCATE, &error);
  if (opened == nullptr) zip_source_free(whole);
  check(opened != nullptr, "zip_open_from_source");
  std::unique_ptr<zip_t, DiscardZip> archive(opened);
  for (const NpzEntry& entry : entries) {
    Source* const read = sources.emplace_back(std::make_unique<EntrySource>(entry, failure)).get();
    zip_source_t* source = zip_source_function(archive.get(), Source::call, read);
    check(source != nullptr, "zip_source_function");
    const zip_int64_t index = zip_file_add(archive.get(), (entry.key + ".npy").c_str(), source, ZIP_FL_ENC_UTF_8);
    if (index < 0) zip_source_free(source);
    check(index >= 0, "zip_file_add");
    const auto added = static_cast<zip_uint64_t>(index);
    check(zip_set_file_compression(archive.get(), added, ZIP_CM_STORE, 0) == 0, "zip_set_file_compression");
    check(zip_file_set_dostime(archive.get(), added, kFixedTime, kFixedDate, 0) == 0, "zip_file_set_dostime");
  }
  const bool closed = zip_close(archive.get()) == 0;
  if (closed) (void)archive.release();
  check(closed, "zip_close");
  return target.size();
}

std::vector<std::byte> npz_bytes(NpzArrays arrays) {
  const std::vector<NpzEntry> entries = entries_of(std::move(arrays));
  std::size_t size = 0;
  for (const NpzEntry& entry : entries) size += entry.size;
  std::vector<std::byte> bytes;
  bytes.reserve(npz_size_bound(entries.size(), size));
  write_npz(entries, [&](std::uint64_t at, std::span<const std::byte> piece) {
    bytes.resize(std::max(bytes.size(), static_cast<std::size_t>(at) + piece.size()));
    std::ranges::copy(piece, bytes.begin() + static_cast<std::ptrdiff_t>(at));
  });
  return bytes;
}

}  // namespace phasegrid
