"""Custom search parameters: SearchParameter resources that searches of this server know.

https://hl7.org/fhir/R4/searchparameter.html

    checking    a resource that defines none that can be indexed is refused
    customs     which ones count, read from the store: the resources themselves are the truth
    vocabulary  what can be searched and how it is indexed, of one moment
    learning    each process notices what another changed, and swaps its vocabulary
    presence    each process that writes says which customs it indexes by
    building    what was stored before a parameter came is indexed, in the background
    progress    how far that is, in the store

No write is lost between two vocabularies. A parameter is first only written: the pass over what is
there begins when every process that writes has said that it indexes the parameter, and that its
older commits have ended. So what the pass has gone by was written by one who knew. A process that
could not say so for a while must not write before it has looked again; and a commit that comes
to its end after its process has learned more is indexed again before it is answered.
"""
