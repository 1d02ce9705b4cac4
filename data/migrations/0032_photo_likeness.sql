-- What a photo looks like, as 64 bits (dHash): photos of one scene differ in few of them. NULL: it could not be read.

CREATE TABLE photo_likeness (
    sha256   text PRIMARY KEY REFERENCES photos (sha256),
    likeness bigint
);
